"""Bodies that schemathesis cannot make by itself: client updates, whole and damaged."""

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
