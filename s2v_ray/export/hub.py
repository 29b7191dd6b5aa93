"""A model to a hub, by huggingface_hub: one commit of all its files."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from s2v_ray.errors import UserError
from s2v_ray.storage.object_stores import network_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def hub_client() -> HfApi:
    """The hub at HF_ENDPOINT, by default Hugging Face's, for the user whom HF_TOKEN (or `hf auth login`) names.

    Raises UserError `no_hub` where huggingface_hub is missing. Sends nothing.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        extra = "in the folder of s2v_ray: pip install '.[hub]'"
        raise UserError("no_hub", f"--push-to-hub needs huggingface_hub; {extra}") from None
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


def push(client: HfApi, files: Mapping[str, bytes], name: str, *, public: bool, own: Collection[str]) -> str:
    """Commit files to the model `name` (USER/MODEL), which is made if there is none; returns its address.

    A new one is private unless `public`; one that exists stays what it is. Of its files, those among `own` that are not
    in `files` are of an earlier version, and removed. Raises UserError `hub_refused`.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    failures: tuple[type[Exception], ...] = (OSError, *network_errors("hf://"))
    # Of a name that is none, and of answers that are no hub's.
    failures += (ValueError, LookupError, TypeError, AttributeError)
    try:
        address = client.create_repo(name, private=not public, exist_ok=True)
        stale = {file for file in client.list_repo_files(address.repo_id) if file in own} - files.keys()
        client.create_commit(
            address.repo_id,
            [
                *(CommitOperationAdd(file, content) for file, content in files.items()),
                *(CommitOperationDelete(file) for file in sorted(stale)),
            ],
            commit_message="Model exported by s2v_ray",
        )
    except failures as error:
        said = " ".join(str(error).split())
        raise UserError(
            "hub_refused",
            f"--push-to-hub '{name}': {said[:500].rstrip('.')}; check the name (USER/MODEL) and the token (HF_TOKEN, "
            "or hf auth login), and give the same command again.",
        ) from None
    return str(address)
