"""SUBSCRIBE: how a session begins to follow an account's private stream.

Invariant: what a follower gets, image or past events first and then the rest, leaves nothing out and repeats
nothing: the ring collects from the moment of the request, and the image is taken after it.
"""

from bus.commands import INT_MAX
from bus.errors import Code, SessionError
from bus.frames import refuse

from .doors import Reply
from .post import Post
from .private import WAITING, PrivateStreams
from .queries import Image, Queries, check_account
from .requests import Reply as Answered
from .requests import arguments
from .sessions import Session

IMAGE_FETCHES_MAX = 4
"""Images fetched for one request when events above them were dropped meanwhile."""


class Following:
    """Subscriptions of one gateway."""

    def __init__(self, private: PrivateStreams, queries: Queries, post: Post) -> None:
        self._private = private
        self._queries = queries
        self._post = post

    def subscribe(self, session: Session, run: int, request_id: int, args: object) -> Answered | None:
        """Let a session follow an account, from a number or (None: later) from an image.

        Raises
        ------
        FormError, SessionError
            Wrong form; NOT_AUTHORIZED; RESUME_TOO_OLD; BUSY.
        """
        account, after = arguments(args, 2)
        account = check_account(session, account)
        if type(after) is not int or not WAITING <= after <= INT_MAX:
            refuse(Code.WRONG_TYPE, "after_account_seq from -1", after)
        newest = self._private.follow(session, account, after)
        if after != WAITING:
            return (request_id, 0, "", (newest, None))
        try:
            self._fetch(session, run, request_id, account, 1)
        except SessionError:
            self._private.leave(session, account)
            raise
        return None

    def unsubscribe(self, session: Session, request_id: int, args: object) -> Answered:
        """Let a session follow an account no more."""
        (account,) = arguments(args, 1)
        self._private.leave(session, check_account(session, account))
        return (request_id, 0, "", None)

    def _fetch(self, session: Session, run: int, request_id: int, account: str, attempt: int) -> None:
        """Fetch the image behind which a session begins."""

        def refused(code: int, detail: str) -> None:
            self._private.leave(session, account)
            self._post.reply(session, run, [(request_id, code, detail, None)])

        def done(image: Image | Reply) -> None:
            if not session.alive:
                return
            if isinstance(image, Reply):
                refused(image.code, image.detail)
            elif account not in session.followed:
                refused(int(Code.OUT_OF_ORDER), "expected to be kept until its image came, was ended")
            elif self._private.begin_after(session, account, image.account_seq):
                whole = (image.seq, image.balances, image.orders)
                self._post.reply(session, run, [(request_id, 0, "", (image.account_seq, whole))])
            elif attempt < IMAGE_FETCHES_MAX:
                try:
                    self._fetch(session, run, request_id, account, attempt + 1)
                except SessionError as error:
                    refused(int(error.code), error.detail)
            else:
                refused(int(Code.BUSY), "expected an image before its next events were dropped, was too late")

        self._queries.fetch_account(account, done)
