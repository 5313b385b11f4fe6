"""Declarative models of the LIMS tables, for those who write their own joins."""

from ecephys_dal.models.analysis import (
    EcephysAnalysisRun,
    EcephysAnalysisRunProbe,
    EcephysUnitMetricBundle,
)
from ecephys_dal.models.anatomy import Structure
from ecephys_dal.models.base import Base
from ecephys_dal.models.behavior import BehaviorSession, IsiExperiment
from ecephys_dal.models.files import Attachable, WellKnownFile, WellKnownFileType
from ecephys_dal.models.projects import Equipment, Project, User
from ecephys_dal.models.recording import EcephysChannel, EcephysProbe, EcephysSession, EcephysUnit
from ecephys_dal.models.stimuli import Stimulus, StimulusNamespace
from ecephys_dal.models.subjects import (
    Age,
    Donor,
    Gender,
    Genotype,
    GenotypeType,
    Specimen,
    donors_genotypes,
)

__all__ = [
    "Age",
    "Attachable",
    "Base",
    "BehaviorSession",
    "Donor",
    "EcephysAnalysisRun",
    "EcephysAnalysisRunProbe",
    "EcephysChannel",
    "EcephysProbe",
    "EcephysSession",
    "EcephysUnit",
    "EcephysUnitMetricBundle",
    "Equipment",
    "Gender",
    "Genotype",
    "GenotypeType",
    "IsiExperiment",
    "Project",
    "Specimen",
    "Stimulus",
    "StimulusNamespace",
    "Structure",
    "User",
    "WellKnownFile",
    "WellKnownFileType",
    "donors_genotypes",
]
