"""What schemathesis cannot make by itself: client updates, and codes and ids that there are."""

import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

UPDATE = Path(os.environ["UPDATE"]).read_bytes()

damaged = st.integers(0, len(UPDATE) - 1).map(lambda at: UPDATE[:at] + bytes([UPDATE[at] ^ 1]) + UPDATE[at + 1 :])
short = st.integers(0, len(UPDATE)).map(lambda length: UPDATE[:length])

schemathesis.openapi.media_type(
    "application/vnd.safetensors", st.one_of(st.just(UPDATE), damaged, short, st.binary(max_size=64))
)


# Wrong codes are limited to ten a minute: with the right one, joins are tested and not their limit.
@schemathesis.hook.apply_to(operation_id="join")
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("join_code"), str):
        return {**body, "join_code": os.environ["JOIN_CODE"]}
    return body


def with_id(name):
    def map_path_parameters(context, parameters):
        return {**parameters, "id": os.environ[name]}

    return map_path_parameters


schemathesis.hook.apply_to(operation_id="revoke_participant")(with_id("REVOKED_PARTICIPANT"))
schemathesis.hook.apply_to(operation_id="end_assistant")(with_id("REVOKED_ASSISTANT"))
