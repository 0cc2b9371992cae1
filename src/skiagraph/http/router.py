"""From method and path to a Transaction row: a tree of path segments made from the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from skiagraph.errors import BadRequest, MethodNotAllowed, ResourceNotFound
from skiagraph.values import is_uid
from skiagraph.wire.transaction import Transaction

_UIDS = {
    "study": "Study Instance UID",
    "series": "Series Instance UID",
    "instance": "SOP Instance UID",
    "workitem": "Workitem UID",
    "transaction": "Transaction UID",
    "performed": "SOP Instance UID",
}


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    variable: tuple[str, _Node] | None = None
    rest: tuple[str, dict[str, Transaction]] | None = None
    methods: dict[str, Transaction] = field(default_factory=dict)


class Router:
    """All Transactions of the server. Trailing slashes are the same resource; literals win over variables."""

    def __init__(self, transactions: Iterable[Transaction]) -> None:
        self._root = _Node()
        self.transactions = tuple(transactions)
        for transaction in self.transactions:
            self._add(transaction)

    def _add(self, transaction: Transaction) -> None:
        node = self._root
        for segment in transaction.template.strip("/").split("/"):
            if segment.endswith("*}"):
                node.rest = node.rest or (segment[1:-2], {})
                node.rest[1][transaction.method] = transaction
                return
            if segment.startswith("{"):
                node.variable = node.variable or (segment[1:-1], _Node())
                assert node.variable[0] == segment[1:-1], f"two names for one segment: {transaction.template}"
                node = node.variable[1]
            else:
                node = node.literals.setdefault(segment, _Node())
        assert transaction.method not in node.methods, f"declared twice: {transaction.method} {transaction.template}"
        node.methods[transaction.method] = transaction

    def resolve(self, method: str, path: str) -> tuple[Transaction, dict[str, str]]:
        """Return the Transaction and the variables of the path (below the Base URI).

        Raises
        ------
        ResourceNotFound
            No Transaction has such a resource.
        MethodNotAllowed
            The resource has other methods; they are in `allow`.
        BadRequest
            A UID in the path is none.
        """
        methods, variables = self._find(path)
        if not methods:
            raise ResourceNotFound(f"This server has no resource {path}.")
        # HEAD is GET without the payload (RFC 9110 §9.3.2).
        transaction = methods.get("GET" if method == "HEAD" else method)
        if transaction is None:
            raise MethodNotAllowed(f"{path} does not have the method {method}.", allow=_allow(methods))
        for name, value in variables.items():
            if name in _UIDS and not is_uid(value):
                raise BadRequest(
                    f"{value[:80]!r} in the path is not a valid {_UIDS[name]}: digits and dots, at most 64."
                )
        return transaction, variables

    def allow(self, path: str) -> tuple[str, ...]:
        """Methods of the resource; empty where there is none."""
        methods, _ = self._find(path)
        return _allow(methods) if methods else ()

    def _find(self, path: str) -> tuple[dict[str, Transaction], dict[str, str]]:
        node = self._root
        variables: dict[str, str] = {}
        segments = path.strip("/").split("/")
        for number, segment in enumerate(segments):
            following = node.literals.get(segment)
            if following is not None:
                node = following
            elif node.variable is not None and segment:
                name, node = node.variable
                variables[name] = segment
            elif node.rest is not None:
                name, methods = node.rest
                variables[name] = "/".join(segments[number:])
                return methods, variables
            else:
                return {}, {}
        return node.methods, variables


def _allow(methods: dict[str, Transaction]) -> tuple[str, ...]:
    names = set(methods) | {"OPTIONS"}
    if "GET" in names:
        names.add("HEAD")
    return tuple(sorted(names))
