"""The stimulus templates of the synthetic LIMS: movies and scenes, and some that are not right."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ecephys_dal.testing.content import natural_movie, natural_scene
from ecephys_dal.testing.factories import StimulusFactory, StimulusNamespaceFactory
from ecephys_dal.testing.writer import store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ecephys_dal.models import Stimulus, StimulusNamespace
    from ecephys_dal.testing.shared import SharedRecords

__all__ = ["awkward_templates", "templates"]

_MOVIES, _SCENES = (1, 2, 3), range(118)


def templates(
    shared: SharedRecords, namespace: StimulusNamespace, artifacts: Path | None
) -> Iterator[Stimulus]:
    """Make ``natural_movie_1`` to ``3`` and ``natural_scene_0`` to ``117``, with their files.

    Parameters
    ----------
    shared : SharedRecords
        Has the type of the files.
    namespace : StimulusNamespace
        Of the stimuli.
    artifacts : Path or None
        Where the bytes go.

    Yields
    ------
    Stimulus
    """
    for number in _MOVIES:
        yield _movie(number, shared, namespace, artifacts)
    for number in _SCENES:
        scene = StimulusFactory.build(
            name=f"natural_scene_{number}",
            namespace=namespace,
            well_known_file__type=shared.file_type("Stimulus"),
            well_known_file__filename=f"natural_scene_{number}.tiff",
            well_known_file__content_type="image/tiff",
        )
        if scene.well_known_file is not None:
            store(artifacts, scene.well_known_file, partial(natural_scene, number))
        yield scene


def awkward_templates(
    shared: SharedRecords, namespace: StimulusNamespace, artifacts: Path | None
) -> Iterator[tuple[str, Stimulus]]:
    """Make stimuli that are not as they should be.

    Parameters
    ----------
    shared : SharedRecords
        Has the type of the files.
    namespace : StimulusNamespace
        Of most of the stimuli.
    artifacts : Path or None
        Where the bytes go.

    Yields
    ------
    (str, Stimulus)
        A key of `SyntheticLims.awkward` and the stimulus.
    """
    yield "stimulus_first_of_two", _movie(99, shared, namespace, artifacts)
    yield "stimulus_second_of_two", _movie(99, shared, namespace, artifacts)
    without_file = StimulusFactory.build(
        name="natural_movie_98", namespace=namespace, well_known_file=None
    )
    yield "stimulus_without_file", without_file
    other = StimulusNamespaceFactory.build(name="visual_behavior")
    yield "stimulus_of_other_namespace", _movie(1, shared, other, artifacts)
    unsized = _movie(97, shared, namespace, artifacts)
    if unsized.well_known_file is not None:
        unsized.well_known_file.size = None
    yield "stimulus_of_unknown_size", unsized


def _movie(
    number: int, shared: SharedRecords, namespace: StimulusNamespace, artifacts: Path | None
) -> Stimulus:
    movie = StimulusFactory.build(
        name=f"natural_movie_{number}",
        namespace=namespace,
        well_known_file__type=shared.file_type("Stimulus"),
    )
    if movie.well_known_file is not None:
        store(artifacts, movie.well_known_file, partial(natural_movie, number))
    return movie
