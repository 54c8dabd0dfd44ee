"""What guard policies leave of a table, told to engines that an administrator trusts, and to nobody else."""

import json
import operator

import boto3
import pytest
from botocore.exceptions import ClientError
from pyiceberg.exceptions import ForbiddenError

from conftest import allow, client
from server import REGION
from sql import rows
from test_guard import guard  # noqa: F401: a fixture
from test_iceberg_delegation import catalog_of
from test_iceberg_door import Door
from test_iam import document, iam, service, trust  # noqa: F401: a fixture
from test_sql_policies import CONDITIONS, column, forbid, table  # noqa: F401: a fixture

EVERYTHING = allow(["s3:*", "s3tables:*", "craton:*"])


@pytest.fixture
def engine(make_user, iam):  # noqa: F811
    """A user who may everything and is trusted to apply what is left."""
    key = make_user(EVERYTHING)
    iam.tag_user(UserName=key.user, Tags=[{"Key": "craton:trusted-engine", "Value": "true"}])
    return key


def load(server, bucket: str, key) -> dict:
    return json.loads(Door(server, bucket, key).ask("GET", "namespaces/ns/tables/people").body)


COMPARED = {"eq": operator.eq, "not-eq": operator.ne, "lt": operator.lt, "lt-eq": operator.le, "gt": operator.gt, "gt-eq": operator.ge}


def holds(filter: dict, row: dict, names: dict) -> bool:
    """Whether a row is left by a filter, to an engine that knows two truths only, and takes nothing for unequal to everything."""
    value = lambda of: str(row[names[of["id"]]]) if names[of["id"]] == "born" else row[names[of["id"]]]  # noqa: E731
    match filter["type"]:
        case "true" | "false" as constant:
            return constant == "true"
        case "and":
            return holds(filter["left"], row, names) and holds(filter["right"], row, names)
        case "or":
            return holds(filter["left"], row, names) or holds(filter["right"], row, names)
        case "is-null" | "not-null" as kind:
            return (value(filter["child"]) is None) == (kind == "is-null")
        case "in" | "not-in" as kind:
            return (value(filter["child"]) in filter["values"]) == (kind == "in")
        case kind:
            left = value(filter["left"])
            return left is not None and COMPARED[kind](left, filter["right"]["value"])


@pytest.mark.parametrize(("condition", "left"), CONDITIONS)
def test_the_filter_leaves_what_sql_leaves(server, bucket, table, engine, guard, condition, left):  # noqa: F811
    guard(forbid(engine, "is Table)", f'@rows("{condition}")'))
    told = load(server, bucket, engine)
    names = {field["id"]: field["name"] for field in told["metadata"]["schemas"][-1]["fields"]}
    filter = told["read-restrictions"]["required-row-filter"]
    # The engine reads all rows by what it is given, and applies the filter.
    all_rows = catalog_of(server, bucket, engine).load_table("ns.people").scan().to_arrow().to_pylist()
    assert len(all_rows) == 4
    assert sorted(row["id"] for row in all_rows if holds(filter, row, names)) == left
    # By SQL the server applies it, to the engine as to others.
    assert rows(server, engine, "SELECT id FROM people ORDER BY id", bucket=bucket, namespace="ns") == [(id,) for id in left]


def test_masks_are_actions_on_fields(server, bucket, table, engine, guard):  # noqa: F811
    guard(forbid(engine, column("ssn"), '@mask("last 4")'))
    guard(forbid(engine, column("born"), '@mask("year")'))
    guard(forbid(engine, column("who.mail"), '@mask("null")'))
    told = load(server, bucket, engine)
    ids = {field["name"]: field["id"] for field in told["metadata"]["schemas"][-1]["fields"]}
    assert told["read-restrictions"] == {"required-column-projections": [
        {"field-id": ids["ssn"], "action": "show-last-4"}, {"field-id": ids["born"], "action": "truncate-to-year"},
        {"field-id": ids["who"], "action": "replace-with-null"},
    ]}


def test_who_is_not_trusted_is_refused_as_ever(server, bucket, table, engine, make_user, guard, iam):  # noqa: F811
    other = make_user(EVERYTHING)
    guard(f'@rows("id = 1") forbid(principal, action == Action::"s3tables:GetTableData", resource == Table::"{bucket}/ns/people");')
    assert load(server, bucket, other)["error"]["code"] == 403
    with pytest.raises(ForbiddenError):
        catalog_of(server, bucket, other).load_table("ns.people")
    told = Door(server, bucket, engine).ask("GET", "namespaces/ns/tables/people")
    # As of now: it is not to be kept, and has no tag to ask by whether it is the same.
    assert told.headers["cache-control"] == "no-store" and "etag" not in told.headers
    assert "read-restrictions" in json.loads(told.body)
    # Another value of the tag is none; taken away it is over at once.
    for value in ("True", "yes", ""):
        iam.tag_user(UserName=engine.user, Tags=[{"Key": "craton:trusted-engine", "Value": value}])
        assert load(server, bucket, engine)["error"]["code"] == 403
    file = table.files[0]
    with pytest.raises(ClientError, match="AccessDenied"):
        client(server, engine).get_object(Bucket=bucket, Key=file)
    iam.tag_user(UserName=engine.user, Tags=[{"Key": "craton:trusted-engine", "Value": "true"}])
    assert client(server, engine).get_object(Bucket=bucket, Key=file)["Body"].read()
    # Trusted to read is not trusted to change what one sees in part.
    with pytest.raises(ForbiddenError):
        catalog_of(server, bucket, engine).load_table("ns.people").delete("id = 2")
    # A column that is forbidden and not masked refuses the engine too, and so does a table.
    guard(forbid(engine, column("ssn")))
    assert load(server, bucket, engine)["error"]["code"] == 403


def test_a_session_does_not_make_itself_trusted(server, bucket, table, make_user, guard, iam):  # noqa: F811
    user = make_user(EVERYTHING, allow("sts:*"))
    guard(f'@rows("id = 1") forbid(principal, action == Action::"s3tables:GetTableData", resource == Table::"{bucket}/ns/people");')
    role = f"role-{user.user}"
    who = {"AWS": f"arn:aws:iam::000000000000:user/{user.user}"}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(who, ["sts:AssumeRole", "sts:TagSession"]))
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=document(EVERYTHING))
    made = service(server, "sts", user).assume_role(
        RoleArn=f"arn:aws:iam::000000000000:role/{role}", RoleSessionName="engine", Tags=[{"Key": "craton:trusted-engine", "Value": "true"}]
    )["Credentials"]
    server.secrets |= {made["SessionToken"], made["SecretAccessKey"]}
    session = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"], aws_session_token=made["SessionToken"],
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        session.get_object(Bucket=bucket, Key=table.files[0])
    # The role itself, tagged by who may tag it, is.
    iam.tag_role(RoleName=role, Tags=[{"Key": "craton:trusted-engine", "Value": "true"}])
    assert session.get_object(Bucket=bucket, Key=table.files[0])["ContentLength"] > 0
