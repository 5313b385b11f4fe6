"""What analysis code may ask, whoever answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pandas import DataFrame

    from ecephys_dal.filters import Day, Ids, Names

__all__ = ["EcephysProjectApi"]


class EcephysProjectApi(ABC):
    """Tables and files of extracellular electrophysiology, as AllenSDK names them.

    In every table an argument of None is no condition and an empty collection gives an empty
    table with all its columns. ``published_at`` (``'YYYY-MM-DD'``, date, datetime or Timestamp)
    keeps what belongs to sessions published by midnight at the start of that day, which as LIMS
    stores days means on that day at the latest; unpublished ones drop out.
    Collections of ids may be lists, tuples, sets, ranges, arrays, Series or Indexes. Any other
    value raises `InvalidFilterError`; a database that can't be reached raises
    `DatabaseUnavailableError`, and one without a needed column `SchemaMismatchError`.

    Files come as an iterable of bytes, which ``app_engine.write_bytes(path, ...)`` puts on disk;
    one from an asynchronous implementation is also for ``async for`` and ``await``, and can be
    called with an asynchronous callback; it looks the file up when it is read, and not before.
    `NotExactlyOneError` is raised where there is no such file in force, or several, which it lists;
    an `ArtifactError` where the file can't be fetched.
    """

    @abstractmethod
    def get_sessions(self, session_ids: Ids = None, published_at: Day = None) -> DataFrame:
        """Return the sessions that are neither habituation sessions nor failed.

        Parameters
        ----------
        session_ids : collection of int, optional
            Only these sessions.
        published_at : str or date, optional
            Only sessions published on that day at the latest.

        Returns
        -------
        DataFrame, shape (n_sessions, 9)
            Indexed by ``id``, ascending.

            - specimen_id : int64. The specimen that was recorded.
            - session_type : string. The name of the stimulus set.
            - isi_experiment_id : float64. The intrinsic signal imaging experiment.
            - date_of_acquisition : datetime64[ns], UTC. A time of upload.
            - published_at : datetime64[ns]. The release; a day is its midnight.
            - genotype : string. ``wt`` where the donor has none.
            - sex : string. ``M`` or ``F``.
            - age_in_days : float64, days.
            - has_nwb : bool. A current analysis run of the session has an NWB file.

        Notes
        -----
        From ecephys_sessions, specimens, donors, genders, ages and well_known_files. Unlike
        AllenSDK, a session stands once even with two NWB files, and stays if its donor has no age
        or no gender.
        """

    @abstractmethod
    def get_probes(
        self, probe_ids: Ids = None, session_ids: Ids = None, published_at: Day = None
    ) -> DataFrame:
        """Return the probes that have not failed, of sessions as in `get_sessions`.

        Parameters
        ----------
        probe_ids, session_ids : collection of int, optional
            Only these probes, only probes of these sessions.
        published_at : str or date, optional
            Only probes of sessions published on that day at the latest.

        Returns
        -------
        DataFrame, shape (n_probes, 9)
            Indexed by ``id``, ascending.

            - ecephys_session_id : int64.
            - name : string. ``probeA`` to ``probeF``.
            - sampling_rate : float64, Hz.
            - lfp_sampling_rate : float64, Hz. Before temporal subsampling.
            - phase : string. Of the Neuropixels probe: ``3a`` or ``PXI``.
            - air_channel_index : float64. A channel's local_index known to be in the air.
            - surface_channel_index : float64. The local_index of the channel at the surface of
              the brain.
            - has_lfp_data : boolean.
            - lfp_temporal_subsampling_factor : float64.

        Notes
        -----
        From ecephys_probes and ecephys_sessions.
        """

    @abstractmethod
    def get_channels(
        self,
        channel_ids: Ids = None,
        probe_ids: Ids = None,
        session_ids: Ids = None,
        published_at: Day = None,
    ) -> DataFrame:
        """Return the channels with valid data, of probes as in `get_probes`.

        Parameters
        ----------
        channel_ids, probe_ids, session_ids : collection of int, optional
            Only these channels, only channels of these probes or sessions.
        published_at : str or date, optional
            Only channels of sessions published on that day at the latest.

        Returns
        -------
        DataFrame, shape (n_channels, 9)
            Indexed by ``id``, ascending.

            - ecephys_probe_id : int64.
            - local_index : int64. Along the probe, from 0.
            - probe_vertical_position, probe_horizontal_position : float64, µm. On the probe.
            - ecephys_structure_id : float64. The structure that the site lies in.
            - ecephys_structure_acronym : string.
            - anterior_posterior_ccf_coordinate, dorsal_ventral_ccf_coordinate,
              left_right_ccf_coordinate : float64, µm in CCFv3. Where a channel is not registered
              LIMS has -1000 (2019 and 2020) or NULL.

        Notes
        -----
        From ecephys_channels, ecephys_probes, ecephys_sessions and structures.
        """

    @abstractmethod
    def get_units(
        self,
        unit_ids: Ids = None,
        channel_ids: Ids = None,
        probe_ids: Ids = None,
        session_ids: Ids = None,
        published_at: Day = None,
    ) -> DataFrame:
        """Return the sorted units of channels as in `get_channels`, noise units included.

        Parameters
        ----------
        unit_ids, channel_ids, probe_ids, session_ids : collection of int, optional
            Only these units, only units of these channels, probes or sessions.
        published_at : str or date, optional
            Only units of sessions published on that day at the latest.

        Returns
        -------
        DataFrame, shape (n_units, 26)
            Indexed by ``id``, ascending.

            - ecephys_channel_id : int64. The channel of the largest waveform.
            - quality : string. ``good`` or ``noise``.
            - snr : float64. Of the waveform.
            - firing_rate : float64, spikes/s.
            - isi_violations : float64. Relative firing rate of spikes within the refractory period.
            - presence_ratio : float64, 0 to 1. Part of the session in which the unit fired.
            - amplitude_cutoff : float64, 0 to 0.5. Estimated part of the spikes that was missed.
            - isolation_distance, l_ratio, d_prime, nn_hit_rate, nn_miss_rate, silhouette_score :
              float64. How well the cluster is set apart from others.
            - max_drift, cumulative_drift : float64, µm. Movement along the probe.
            - epoch_name_quality_metrics, epoch_name_waveform_metrics : string. What part of the
              session these were computed from.
            - duration, halfwidth : float64, ms. Of the waveform.
            - PT_ratio : float64. Peak to trough.
            - repolarization_slope, recovery_slope : float64, V/s.
            - amplitude : float64, µV.
            - spread : float64, µm. Along the probe.
            - velocity_above, velocity_below : float64, s/m. Of the waveform along the probe.

        Notes
        -----
        From ecephys_units, ecephys_channels, ecephys_probes and ecephys_sessions. LIMS documents
        no units of measurement; these are the ones of the metrics' published definitions (Siegle,
        Jia et al. 2021, Nature 592, 86-92, and AllenSDK's documentation).
        """

    @abstractmethod
    def get_unit_analysis_metrics(
        self,
        unit_ids: Ids = None,
        ecephys_session_ids: Ids = None,
        session_types: Names = None,
        *,
        session_ids: Ids = None,
    ) -> DataFrame:
        """Return what current analysis runs found of the units' responses to stimuli.

        Parameters
        ----------
        unit_ids, ecephys_session_ids : collection of int, optional
            Only these units, only units of these sessions.
        session_types : collection of str, optional
            Only units of sessions of these types, such as ``["brain_observatory_1.1"]``.
        session_ids : collection of int, optional
            ``ecephys_session_ids`` by the name that it has in the other tables.

        Returns
        -------
        DataFrame, shape (n_bundles, n_metrics)
            Indexed by ``ecephys_unit_id``, ascending. One column for each metric that a unit of
            the table has, so they depend on the session types; a table without rows has all that
            are documented. Numbers are float64, the ``*_multi_*`` metrics and ``on_screen_rf``
            are boolean.

        Notes
        -----
        From ecephys_unit_metric_bundles; no rule but that the run is current, so units of failed
        sessions are there too. Unlike AllenSDK, ``unit_ids`` filters the unit's id and not the
        bundle's, and ``p_value_rf`` and ``on_screen_rf``, stored in each other's place, are put
        right. The units of measurement are documented nowhere in LIMS.
        """

    @abstractmethod
    def get_isi_experiments(
        self, isi_experiment_ids: Ids = None, session_ids: Ids = None
    ) -> DataFrame:
        """Return intrinsic signal imaging experiments.

        Parameters
        ----------
        isi_experiment_ids, session_ids : collection of int, optional
            Only these experiments, only those that prepared these sessions.

        Returns
        -------
        DataFrame, shape (n_experiments, 3)
            Indexed by ``id``, ascending.

            - project_id : float64.
            - date_of_acquisition : datetime64[ns], UTC.
            - workflow_state : string.

        Notes
        -----
        From isi_experiments; no rule. AllenSDK names this method and implements it nowhere.
        """

    @abstractmethod
    def get_session_data(self, session_id: int) -> Iterable[bytes]:
        """Return the NWB file of a session: spike times, stimuli, running and the rest.

        Parameters
        ----------
        session_id : int
            The session; no rule applies to it.

        Returns
        -------
        iterable of bytes
        """

    @abstractmethod
    def get_probe_lfp_data(self, probe_id: int) -> Iterable[bytes]:
        """Return the NWB file of a probe's local field potential.

        Parameters
        ----------
        probe_id : int
            The probe; no rule applies to it.

        Returns
        -------
        iterable of bytes
        """

    @abstractmethod
    def get_natural_movie_template(self, number: int) -> Iterable[bytes]:
        """Return a movie that was shown, as an npy file.

        Parameters
        ----------
        number : int
            3 for natural_movie_three.

        Returns
        -------
        iterable of bytes
        """

    @abstractmethod
    def get_natural_scene_template(self, number: int) -> Iterable[bytes]:
        """Return a picture that was shown, as a tiff file.

        Parameters
        ----------
        number : int
            0 to 117.

        Returns
        -------
        iterable of bytes
        """
