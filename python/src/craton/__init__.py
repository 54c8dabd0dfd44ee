"""Craton from Python: objects, SQL, graphs, leases, runs and sessions.

    import craton

    client = craton.connect("http://127.0.0.1:9000", craton.AccessKey("…", "…"))
    with client.run("training-7") as run, run.lease(craton.exclusive("data", prefix="runs/7/")) as held:
        frame = held.sql("SELECT * FROM data.sales.orders").pandas()
        held.bucket("data").put("runs/7/model.pt", model)

``craton.torch`` has datasets and a loader for torch.
"""

from .auth import AccessKey, Anonymous, Auth, Bearer, from_environment, from_file
from .client import Client, connect
from .errors import (
    BudgetExceeded, Changed, Conflict, CratonError, Denied, Interrupted, Invalid, LeaseLost, NotFound, TooLarge, TooMany,
    Unavailable, Unreachable,
)
from .graphs import Graph
from .leases import Lease, LeasePath, exclusive, shared
from .objects import Bucket, ObjectInfo, ObjectReader
from .rows import Rows
from .runs import Run

__version__ = "0.1.0"
__all__ = [
    "AccessKey", "Anonymous", "Auth", "Bearer", "Bucket", "BudgetExceeded", "Changed", "Client", "Conflict", "CratonError",
    "Denied", "Graph", "Interrupted", "Invalid", "Lease", "LeaseLost", "LeasePath", "NotFound", "ObjectInfo", "ObjectReader",
    "Rows", "Run", "TooLarge", "TooMany", "Unavailable", "Unreachable", "connect", "exclusive", "from_environment", "from_file",
    "shared",
]
