"""Factories: one for each model, which make a plausible record with all of its parents.

They hold the only declaration of the default values, which are fixed: two records differ in
their ids alone, unless a test says otherwise. Inside `using` a factory writes its record; its
``build`` makes one without a database.
"""

from ecephys_dal.testing.factories.analysis import (
    EcephysAnalysisRunFactory,
    EcephysAnalysisRunProbeFactory,
    EcephysUnitMetricBundleFactory,
)
from ecephys_dal.testing.factories.base import LimsFactory
from ecephys_dal.testing.factories.files import (
    StimulusFactory,
    StimulusNamespaceFactory,
    WellKnownFileFactory,
    WellKnownFileTypeFactory,
)
from ecephys_dal.testing.factories.projects import (
    EquipmentFactory,
    ProjectFactory,
    StructureFactory,
    UserFactory,
)
from ecephys_dal.testing.factories.recording import (
    BehaviorSessionFactory,
    EcephysChannelFactory,
    EcephysProbeFactory,
    EcephysSessionFactory,
    EcephysUnitFactory,
    IsiExperimentFactory,
)
from ecephys_dal.testing.factories.subjects import (
    AgeFactory,
    DonorFactory,
    GenderFactory,
    GenotypeFactory,
    GenotypeTypeFactory,
    SpecimenFactory,
)

__all__ = [
    "AgeFactory",
    "BehaviorSessionFactory",
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
    "IsiExperimentFactory",
    "LimsFactory",
    "ProjectFactory",
    "SpecimenFactory",
    "StimulusFactory",
    "StimulusNamespaceFactory",
    "StructureFactory",
    "UserFactory",
    "WellKnownFileFactory",
    "WellKnownFileTypeFactory",
]
