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
    "LIMS_MODELS",
    "LIMS_TABLES",
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

# The tables of LIMS, those that others refer to first, and their classes: what there is on the Base
# before anybody else can put a class of their own on it.
LIMS_TABLES = {table.name: table for table in Base.metadata.sorted_tables}
LIMS_MODELS = tuple(
    sorted((one.class_ for one in Base.registry.mappers), key=lambda one: one.__tablename__)
)
