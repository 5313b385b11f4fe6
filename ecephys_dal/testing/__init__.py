"""A LIMS to test against: factories, a synthetic database, its files, and a server of them."""

try:
    import factory as _factory  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"ecephys_dal.testing needs an extra: install ecephys_dal[testing] ({error})"
    ) from error

from ecephys_dal.testing.binding import IdSequence, using
from ecephys_dal.testing.cache_folder import ensure_cache_folder
from ecephys_dal.testing.content import natural_movie, natural_scene, probe_lfp_nwb, session_nwb
from ecephys_dal.testing.demo_lims import DemoLims, demo
from ecephys_dal.testing.enlarge import enlarge_synthetic_lims
from ecephys_dal.testing.factories import (
    AgeFactory,
    BehaviorSessionFactory,
    DonorFactory,
    EcephysAnalysisRunFactory,
    EcephysAnalysisRunProbeFactory,
    EcephysChannelFactory,
    EcephysProbeFactory,
    EcephysSessionFactory,
    EcephysUnitFactory,
    EcephysUnitMetricBundleFactory,
    EquipmentFactory,
    GenderFactory,
    GenotypeFactory,
    GenotypeTypeFactory,
    IsiExperimentFactory,
    LimsFactory,
    ProjectFactory,
    SpecimenFactory,
    StimulusFactory,
    StimulusNamespaceFactory,
    StructureFactory,
    UserFactory,
    WellKnownFileFactory,
    WellKnownFileTypeFactory,
)
from ecephys_dal.testing.release import load_release
from ecephys_dal.testing.server import ArtifactServer
from ecephys_dal.testing.synthetic import SyntheticLims, build_synthetic_lims, create_synthetic_lims

__all__ = [
    "AgeFactory",
    "ArtifactServer",
    "BehaviorSessionFactory",
    "DemoLims",
    "DonorFactory",
    "EcephysAnalysisRunFactory",
    "EcephysAnalysisRunProbeFactory",
    "EcephysChannelFactory",
    "EcephysProbeFactory",
    "EcephysSessionFactory",
    "EcephysUnitFactory",
    "EcephysUnitMetricBundleFactory",
    "EquipmentFactory",
    "GenderFactory",
    "GenotypeFactory",
    "GenotypeTypeFactory",
    "IdSequence",
    "IsiExperimentFactory",
    "LimsFactory",
    "ProjectFactory",
    "SpecimenFactory",
    "StimulusFactory",
    "StimulusNamespaceFactory",
    "StructureFactory",
    "SyntheticLims",
    "UserFactory",
    "WellKnownFileFactory",
    "WellKnownFileTypeFactory",
    "build_synthetic_lims",
    "create_synthetic_lims",
    "demo",
    "enlarge_synthetic_lims",
    "load_release",
    "natural_movie",
    "natural_scene",
    "probe_lfp_nwb",
    "session_nwb",
    "using",
]

ensure_cache_folder()  # before anything imports pynwb
