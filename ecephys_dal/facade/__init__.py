"""The interface that analysis code knows from AllenSDK, over repositories and artifacts."""

from ecephys_dal.facade.interface import EcephysProjectApi
from ecephys_dal.facade.lims import EcephysProjectLimsApi

__all__ = ["EcephysProjectApi", "EcephysProjectLimsApi"]
