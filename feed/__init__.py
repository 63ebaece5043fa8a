"""The stream into public market data: trades, depth, tickers and candles."""
