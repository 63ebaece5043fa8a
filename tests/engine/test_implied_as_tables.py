"""Two runners: what a taker meets in its own book and in the other's (``tests/engine/odds_tables.py``).

Laying B at 1.40 is backing A at 1.40 / 0.40 = 3.50, with 0.40 for each 1.00.
"""

from tests.engine.odds_tables import Scene, play


def plays(text: str) -> None:
    """Play a scenario on a new market of two runners and compare."""
    expected, out = play(Scene("AB", house=False), text)
    assert out == expected


def test_the_better_odds_go_first_direct_or_implied() -> None:
    plays("""
        A lays       | backs
                     | b1 10 @ 2.20
                     | b2 10 @ 2.30
        B lays       | backs
        a1 20 @ 1.80 |
        > c1 lays A 20 at 2.4
        c1 accepted, holds 28.00
        c1 trades 10 @ 2.20 on A with b1, 2.00 back
        c1 trades 12 @ 1.80 on B with a1 (implied), 1.44 back
        c1 cancelled, 0 left, 19 filled: DUST, 0.56 back
        A lays      | backs
                    | b2 10 @ 2.30
        B lays      | backs
        a1 8 @ 1.80 |
        ? results
        ann: A 12.00, B -9.60
        bob: A 12.00, B -10.00
        cat: A -24.00, B 19.60
        ? ann
        984.00 + 16.00 held
        ? bob
        980.00 + 20.00 held
        ? cat
        976.00 + 24.00 held
    """)


def test_who_backs_meets_who_backs_the_other_runner() -> None:
    plays("""
        A lays      | backs
        a1 2 @ 3.80 |
        a2 5 @ 3.00 |
        B lays      | backs
                    | b1 10 @ 1.40
        > c1 backs A 8 at 2.9
        c1 accepted, holds 8.00
        c1 trades 2 @ 3.80 on A with a1
        c1 trades 10 @ 1.40 on B with b1 (implied)
        c1 trades 2 @ 3.00 on A with a2
        A lays      | backs
        a2 3 @ 3.00 |
        B lays      | backs
        ? results
        ann: A -9.60, B 4.00
        bob: A -10.00, B 4.00
        cat: A 19.60, B -8.00
        ? cat
        992.00 + 8.00 held
    """)


def test_direct_goes_before_implied_when_equal() -> None:
    plays("""
        A lays      | backs
        a1 5 @ 3.50 |
        B lays      | backs
                    | b1 10 @ 1.40
        > c1 backs A 7 at 3.5
        c1 accepted, holds 7.00
        c1 trades 5 @ 3.50 on A with a1
        c1 trades 5 @ 1.40 on B with b1 (implied)
        A lays | backs
        B lays | backs
               | b1 5 @ 1.40
    """)


def test_a_backer_never_gets_less_and_a_layer_never_gives_more_than_asked() -> None:
    plays("""
        A lays | backs
               | b1 10 @ 3.60
        B lays | backs
               | b2 10 @ 1.40
        > c1 backs A 4 at 3.55
        c1 accepted, holds 4.00
        > c1 cancelled
        c1 cancelled, 4 left, 0 filled: REQUESTED, 4.00 back
        > d1 lays A 4 at 3.55
        d1 accepted, holds 10.20
        > a1 lays B 10 at 1.38
        a1 accepted, holds 3.80
        A lays       | backs
        d1 4 @ 3.55  | b1 10 @ 3.60
        B lays       | backs
        a1 10 @ 1.38 | b2 10 @ 1.40
    """)


def test_what_is_left_below_one_lot_is_cancelled_before_the_rest_comes_to_rest() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 10 @ 1.35
        > c1 backs A 5 at 3.0
        c1 accepted, holds 5.00
        c1 trades 10 @ 1.35 on B with b1 (implied)
        c1 reduced to 4, 1 left, 0.50 back
        c1 rests 1 @ 3.00
        A lays | backs
               | c1 1 @ 3.00
        B lays | backs
        ? results
        bob: A -10.00, B 3.50
        cat: A 10.00, B -3.50
        ? cat
        995.50 + 4.50 held
    """)


def test_nothing_left_but_dust_is_a_cancel() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 10 @ 1.35
        > c1 backs A 4 at 3.0
        c1 accepted, holds 4.00
        c1 trades 10 @ 1.35 on B with b1 (implied)
        c1 cancelled, 0 left, 3 filled: DUST, 0.50 back
        A lays | backs
        B lays | backs
        ? cat
        996.50 + 3.50 held
    """)


def test_with_less_than_a_lot_left_only_implied_orders_go_on() -> None:
    plays("""
        A lays      | backs
        a1 1 @ 4.00 |
        a2 5 @ 3.60 |
        B lays      | backs
                    | b1 1 @ 1.30
                    | b2 3 @ 1.40
        > c1 backs A 2 at 3.0
        c1 accepted, holds 2.00
        c1 trades 1 @ 1.30 on B with b1 (implied)
        c1 trades 1 @ 4.00 on A with a1
        c1 trades 1 @ 1.40 on B with b2 (implied)
        c1 cancelled, 0 left, 1 filled: DUST, 0.30 back
        A lays      | backs
        a2 5 @ 3.60 |
        B lays      | backs
                    | b2 2 @ 1.40
    """)


def test_an_order_too_small_for_the_next_implied_one_rests_untouched() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 10 @ 4.00
        > c1 backs A 2 at 1.1
        c1 accepted, holds 2.00
        > c2 backs A 3 at 1.1
        c2 accepted, holds 3.00
        c2 trades 1 @ 4.00 on B with b1 (implied)
        A lays | backs
               | c1 2 @ 1.10
        B lays | backs
               | b1 9 @ 4.00
    """)


def test_immediate_or_cancel_takes_both_kinds_and_drops_the_dust_with_the_rest() -> None:
    plays("""
        A lays      | backs
        a1 2 @ 3.80 |
        B lays      | backs
                    | b1 10 @ 1.35
        > c1 backs A 9 at 3.0 ioc
        c1 accepted, holds 9.00
        c1 trades 10 @ 1.35 on B with b1 (implied)
        c1 trades 2 @ 3.80 on A with a1
        c1 cancelled, 3 left, 5 filled: IOC, 3.50 back
        A lays | backs
        B lays | backs
        ? cat
        994.50 + 5.50 held
    """)


def test_fill_or_kill_needs_all_to_the_last_hundredth() -> None:
    plays("""
        A lays      | backs
        a1 2 @ 3.80 |
        B lays      | backs
                    | b1 10 @ 1.35
        > c1 backs A 5 at 3.0 fok
        c1 accepted, holds 5.00
        c1 cancelled, 5 left, 0 filled: FOK, 5.00 back
        > c2 backs A 6 at 3.0 fok
        c2 accepted, holds 6.00
        c2 cancelled, 6 left, 0 filled: FOK, 6.00 back
        > d1 lays B 1 at 1.35 fok
        d1 accepted, holds 0.35
        d1 trades 1 @ 1.35 on B with b1
        > c3 backs A 2 at 3.0 fok
        c3 accepted, holds 2.00
        c3 cancelled, 2 left, 0 filled: FOK, 2.00 back
        A lays      | backs
        a1 2 @ 3.80 |
        B lays      | backs
                    | b1 9 @ 1.35
    """)


def test_a_minimum_quantity_counts_both_kinds() -> None:
    plays("""
        A lays      | backs
        a1 2 @ 3.80 |
        B lays      | backs
                    | b1 10 @ 1.40
        > c1 backs A 9 at 3.0 min 7
        c1 accepted, holds 9.00
        c1 cancelled, 9 left, 0 filled: MIN_QTY, 9.00 back
        > c2 backs A 9 at 3.0 min 6
        c2 accepted, holds 9.00
        c2 trades 2 @ 3.80 on A with a1
        c2 trades 10 @ 1.40 on B with b1 (implied)
        c2 rests 3 @ 3.00
        A lays | backs
               | c2 3 @ 3.00
        B lays | backs
    """)


def test_a_market_order_holds_what_it_will_trade_at_in_both_books() -> None:
    plays("""
        A lays      | backs
        a1 1 @ 3.80 |
        B lays      | backs
                    | b1 10 @ 1.35
        > c1 backs A 6 at market
        c1 accepted, holds 4.50
        c1 trades 10 @ 1.35 on B with b1 (implied)
        c1 trades 1 @ 3.80 on A with a1
        c1 cancelled, 1 left, 4 filled: NO_LIQUIDITY
        > d1 lays A 4 at market
        d1 accepted, holds 0.00
        d1 cancelled, 4 left, 0 filled: NO_LIQUIDITY
        A lays | backs
        B lays | backs
        ? results
        ann: A -2.80, B 1.00
        bob: A -10.00, B 3.50
        cat: A 12.80, B -4.50
        ? cat
        995.50 + 4.50 held
    """)


def test_post_only_looks_at_both_books() -> None:
    plays("""
        A lays       | backs
        B lays       | backs
        a1 20 @ 1.40 |
        > c1 lays A 5 at 3.5 post-only
        rejected: WOULD_CROSS
        > c2 lays A 5 at 3.45 post-only
        c2 accepted, holds 12.25
        > c2 replaced by 5 at 3.5
        rejected: WOULD_CROSS
        A lays       | backs
        c2 5 @ 3.45  |
        B lays       | backs
        a1 20 @ 1.40 |
    """)


def test_a_replaced_order_meets_the_other_book_too() -> None:
    plays("""
        A lays | backs
               | c1 10 @ 4.00
        B lays | backs
               | b1 10 @ 1.40
        > c1 replaced by 10 at 3.4
        c1 replaced by 10 @ 3.40, holds 0.00 more
        c1 trades 10 @ 1.40 on B with b1 (implied)
        c1 rests 6 @ 3.40
        A lays | backs
               | c1 6 @ 3.40
        B lays | backs
        ? results
        bob: A -10.00, B 4.00
        cat: A 10.00, B -4.00
        ? cat
        990.00 + 10.00 held
    """)


def test_an_iceberg_of_the_other_book_trades_part_by_part() -> None:
    plays("""
        A lays | backs
        B lays | backs
        > b1 backs B 10 at 2 showing 4
        b1 accepted, holds 10.00
        > d1 backs B 5 at 2
        d1 accepted, holds 5.00
        > c1 backs A 11 at 2
        c1 accepted, holds 11.00
        c1 trades 4 @ 2.00 on B with b1 (implied)
        c1 trades 5 @ 2.00 on B with d1 (implied)
        c1 trades 2 @ 2.00 on B with b1 (implied)
        A lays | backs
        B lays | backs
               | b1 4 @ 2.00
    """)


def test_an_account_may_meet_itself_unless_that_is_prevented() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | c1 4 @ 2.00
               | b1 6 @ 2.00
        > c2 backs A 2 at 2
        c2 accepted, holds 0.00
        c2 trades 2 @ 2.00 on B with c1 (implied), 2.00 back
        > c3 backs A 8 at 2 prevent CANCEL_MAKER
        c3 accepted, holds 6.00
        prevented: CANCEL_MAKER, 0 lots
        c1 cancelled, 2 left, 2 filled: SELF_TRADE
        c3 trades 6 @ 2.00 on B with b1 (implied)
        c3 rests 2 @ 2.00
        A lays | backs
               | c3 2 @ 2.00
        B lays | backs
        ? results
        bob: A -6.00, B 6.00
        cat: A 6.00, B -6.00
        ? cat
        992.00 + 8.00 held
    """)


def test_decrement_is_cancelling_the_taker_when_the_own_order_is_in_the_other_book() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | b1 2 @ 1.90
               | c1 4 @ 2.00
        > c2 backs A 5 at 2 prevent DECREMENT
        c2 accepted, holds 1.00
        c2 trades 2 @ 1.90 on B with b1 (implied)
        prevented: CANCEL_TAKER, 0 lots
        c2 cancelled, 3 left, 1 filled: SELF_TRADE, 3.00 back
        > a1 lays B 1 at 2.02
        a1 accepted, holds 1.02
        a1 trades 1 @ 2.00 on B with c1, 0.02 back
        A lays | backs
        B lays | backs
               | c1 3 @ 2.00
    """)


def test_an_order_stops_after_the_fills_it_may_have_of_both_kinds() -> None:
    plays("""
        A lays      | backs
        a1 1 @ 2.00 |
        a2 1 @ 2.00 |
        a3 1 @ 2.00 |
        B lays      | backs
                    | b1 1 @ 2.00
                    | b2 1 @ 2.00
                    | b3 1 @ 2.00
                    | b4 1 @ 2.00
        > c1 backs A 7 at 2 fok
        c1 accepted, holds 7.00
        c1 cancelled, 7 left, 0 filled: FOK, 7.00 back
        > c2 backs A 8 at 2
        c2 accepted, holds 8.00
        c2 trades 1 @ 2.00 on A with a1
        c2 trades 1 @ 2.00 on A with a2
        c2 trades 1 @ 2.00 on A with a3
        c2 trades 1 @ 2.00 on B with b1 (implied)
        c2 trades 1 @ 2.00 on B with b2 (implied)
        c2 trades 1 @ 2.00 on B with b3 (implied)
        c2 cancelled, 2 left, 6 filled: FILLS_LIMIT, 2.00 back
        A lays | backs
        B lays | backs
               | b4 1 @ 2.00
    """)


def test_opposing_bets_free_what_they_held() -> None:
    plays("""
        A lays | backs
        B lays | backs
               | c1 10 @ 2.00
        > b1 lays B 10 at 2
        b1 accepted, holds 10.00
        b1 trades 10 @ 2.00 on B with c1
        > a1 backs B 20 at 2
        a1 accepted, holds 20.00
        > c2 backs A 10 at 2
        c2 accepted, holds 0.00
        c2 trades 10 @ 2.00 on B with a1 (implied), 10.00 back
        ? results
        ann: A -10.00, B 10.00
        bob: A 10.00, B -10.00
        ? cat
        1000.00
        ? bob
        990.00 + 10.00 held
    """)


def test_the_order_that_is_too_small_for_the_best_implied_one_goes_on_with_direct_ones() -> None:
    plays("""
        A lays      | backs
        a1 5 @ 1.40 |
        B lays      | backs
                    | b1 10 @ 3.00
        > c1 backs A 3 at 1.3
        c1 accepted, holds 3.00
        c1 trades 1 @ 3.00 on B with b1 (implied)
        c1 trades 1 @ 1.40 on A with a1
        A lays      | backs
        a1 4 @ 1.40 |
        B lays      | backs
                    | b1 9 @ 3.00
    """)
