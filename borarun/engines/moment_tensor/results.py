"""What a training of a moment tensor potential leaves beside what all trainings leave."""

from __future__ import annotations

from borarun.records.operations.base import Array
from borarun.records.operations.potential import Trained


class TrainedMomentTensor(Trained):
    """A moment tensor potential fitted to labels: `train`."""

    ACTIVE_SET = Array(
        "active_set",
        "rows of the active set",
        optional=True,
        shape="P P",
        unit="1",
        dims=("neighbourhood", "parameter"),
    )
    ALMTP = Array(
        "almtp",
        "bytes of the .almtp file with its selection state; of MLIP-3",
        optional=True,
        dtype="uint8",
        shape="b",
        unit="1",
        dims=("byte",),
    )
