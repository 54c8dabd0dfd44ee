"""What a training does with `craton.torch`. Who asks is in the environment. `package_torch.py BUCKET`."""

import json
import pickle
import sys

import pandas
import torch
from torch.utils.data import DataLoader

import craton
import craton.torch
from craton.torch import Loader, Objects, Table


def keys_of(batches) -> list[str]:
    return [key for keys, _ in batches for key in keys]


def refused(attempt, kind: type[Exception], text: str = "") -> None:
    try:
        attempt()
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError(f"no {kind}")


def of_objects(client: craton.Client, bucket: str) -> int:
    place = client.bucket(bucket)
    for n in range(100):
        place.put(f"train/{n:03}", bytes([n]) * 10)
    place.put("train/folder/", b"")
    data = Objects(client, bucket, "train/", decode=lambda key, content: (key, torch.tensor(list(content))))
    assert len(data) == 100 and data[3][0] == "train/003" and data[3][1].tolist() == [3] * 10
    names = [f"train/{n:03}" for n in range(100)]

    # The same order for any number of workers; another for each epoch; all of it in each.
    orders = [keys_of(Loader(data, 8, seed=7, workers=workers, ranks=1)) for workers in (0, 1, 2)]
    assert orders[0] == orders[1] == orders[2] != names and sorted(orders[0]) == names
    loader = Loader(data, 8, seed=7, workers=2)
    epochs = [keys_of(loader), keys_of(loader)]
    assert epochs[0] == orders[0] != epochs[1] and sorted(epochs[1]) == names and len(loader) == 13
    assert keys_of(Loader(data, 8)) == names

    # Ranks share an epoch, evenly or wholly.
    for even, sizes in ((True, [33, 33, 33]), (False, [34, 33, 33])):
        parts = [keys_of(Loader(data, 8, seed=7, rank=rank, ranks=3, even=even)) for rank in range(3)]
        assert [len(part) for part in parts] == sizes and len(set(sum(parts, []))) == sum(sizes)
        assert [len(Loader(data, 8, rank=rank, ranks=3, even=even)) for rank in range(3)] == [5, 5, 5]

    # Interrupted anywhere, and gone on with by another number of workers.
    for stop in (0, 1, 5, 12, 13, 14):
        first, seen, states = Loader(data, 8, seed=7, workers=2), [], []
        states.append(first.state_dict())
        for _ in range(2):
            for batch in first:
                seen.append(keys_of([batch]))
                states.append(first.state_dict())
        again = Loader(data, 8, seed=7)
        again.load_state_dict(json.loads(json.dumps(states[stop])))
        rest = [keys_of([batch]) for _ in range(again.epoch, 2) for batch in again]
        assert seen[:stop] + rest == seen, stop
    refused(lambda: Loader(data, 8, seed=8).load_state_dict(states[1]), ValueError, "another seed")

    # What torch's own loader makes of it, and what is not as it was.
    assert len(list(DataLoader(data, batch_size=10, shuffle=True, num_workers=2))) == 10
    plain = Objects(client, bucket, "train/")
    assert pickle.loads(pickle.dumps(plain))[7] == ("train/007", bytes([7]) * 10)
    state = Loader(plain, 8).state_dict()
    place.put("train/007", b"other")
    refused(lambda: plain[7], craton.Changed)
    refused(lambda: Loader(Objects(client, bucket, "train/"), 8).load_state_dict(state), ValueError, "another dataset")
    return len(data)


def of_a_table(client: craton.Client, bucket: str) -> int:
    name = f"{bucket}.ns.t"
    data = Table(client, name, "id", columns=["id", "x", "coalesce(label, -1) AS label", "name"])
    assert len(data) == 3000 and data[10] == {"id": 10, "x": 5.0, "label": 3, "name": "n10"}
    for workers in (0, 2):
        batches = list(Loader(data, 64, seed=3, workers=workers))
        ids = torch.cat([batch["id"] for batch in batches])
        assert sorted(ids.tolist()) == list(range(3000)) != ids.tolist()
        assert torch.equal(torch.cat([batch["x"] for batch in batches]), ids.float() / 2)
        assert [n for batch in batches for n in batch["name"]] == [f"n{n}" for n in ids.tolist()]
        assert batches[0]["x"].dtype == torch.float32
    # Another process reads the rows anew, and means the same ones.
    again = Table(client, name, "id", columns=["id", "x", "coalesce(label, -1) AS label", "name"], snapshot=data.snapshot)
    loader = Loader(again, 64, seed=3)
    loader.load_state_dict({**Loader(data, 64, seed=3).state_dict(), "samples": 128})
    assert torch.equal(next(iter(loader))["id"], ids[128:192])
    evens = Table(client, name, ["name"], columns=["id"], where="id % 2 = 0")
    assert len(evens) == 1500 and evens[1]["id"] == 10, "in the order of their names: n0, n10, n100"
    assert next(iter(DataLoader(evens, batch_size=2, num_workers=1)))["id"].tolist() == [0, 10]
    assert len(Table(client, name, "id", where="id < 0")) == 0
    refused(lambda: Table(client, name, "label"), ValueError, "null")
    refused(lambda: Table(client, name, "id % 7"), ValueError, "same key")
    refused(lambda: list(Loader(Table(client, name, "id"), 64)), ValueError, "coalesce(label, 0)")
    frame = client.sql(f'SELECT id, name FROM "{bucket}".ns.t WHERE id < 3 ORDER BY id').pandas()
    assert isinstance(frame, pandas.DataFrame) and frame["name"].tolist() == ["n0", "n1", "n2"]
    graph = client.graph(bucket, "frames")
    graph.load_table(frame, "named")
    assert sorted(graph.facts()) == ['(named 0 n0)', '(named 1 n1)', '(named 2 n2)']
    return len(data)


def main(bucket: str) -> None:
    client = craton.connect()
    print(json.dumps({"objects": of_objects(client, bucket), "rows": of_a_table(client, bucket)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
