"""What a training job does with s3torchconnector, run by the system's Python, which has Debian's torch. The access
key is in the environment. `torch_client.py ENDPOINT BUCKET`."""

import sys

import torch
from s3torchconnector import S3Checkpoint, S3ClientConfig, S3IterableDataset, S3MapDataset, S3ReaderConstructor
from torch.utils.data import DataLoader

REGION = "us-east-1"


def main(endpoint: str, bucket: str) -> None:
    config = S3ClientConfig(force_path_style=True, part_size=8 << 20)
    where = {"region": REGION, "endpoint": endpoint, "s3client_config": config}

    # An epoch over a map-style dataset, in shuffled order, and one over an iterable dataset.
    samples = S3MapDataset.from_prefix(f"s3://{bucket}/train/", transform=lambda r: (r.key, r.read()), **where)
    assert len(samples) == 50
    torch.manual_seed(7)
    seen = {}
    for keys, bodies in DataLoader(samples, batch_size=8, shuffle=True):
        seen |= dict(zip(keys, bodies))
    expected = {f"train/{n:03}": bytes([n]) * (1000 + n) for n in range(50)}
    assert seen == expected
    stream = S3IterableDataset.from_prefix(f"s3://{bucket}/train/", transform=lambda r: (r.key, r.read()), **where)
    assert dict(stream) == expected and dict(stream) == expected, "it can be read again"
    named = S3IterableDataset.from_objects([f"s3://{bucket}/train/{n:03}" for n in (3, 1)], **where)
    assert [reader.read() for reader in named] == [expected["train/003"], expected["train/001"]]

    # Parts of a large object.
    for reader in (S3ReaderConstructor.sequential(), S3ReaderConstructor.range_based()):
        [large] = S3MapDataset.from_objects([f"s3://{bucket}/large"], reader_constructor=reader, **where)
        large.seek(9_000_000)
        assert large.read(1000) == bytes(n % 251 for n in range(9_000_000, 9_001_000))

    # A model's checkpoint, written and read back.
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(512, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 512))
    checkpoint = S3Checkpoint(region=REGION, endpoint=endpoint, s3client_config=config)
    with checkpoint.writer(f"s3://{bucket}/checkpoints/epoch0.ckpt") as writer:
        torch.save(model.state_dict(), writer)
    with checkpoint.reader(f"s3://{bucket}/checkpoints/epoch0.ckpt") as reader:
        state = torch.load(reader)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    print("checkpoint", sum(t.numel() * t.element_size() for t in state.values()))


if __name__ == "__main__":
    main(*sys.argv[1:])
