"""The metrics of units' responses that are documented, by the type of the session."""

from __future__ import annotations

__all__ = ["METRIC_KEYS", "is_boolean"]

_COMMON = "fano run_mod run_pval firing_rate lifetime_sparseness"
_GRATINGS = "c50 f1_f0 g_dsi g_osi mod_idx pref_tf pref_tf_multi pref_ori pref_ori_multi"
_STATIC = "g_osi pref_sf pref_sf_multi pref_ori pref_ori_multi pref_phase pref_phase_multi"
_FLASHES = "on_off_ratio time_to_peak sustained_idx"
_FIELD = "area width height azimuth elevation p_value on_screen time_to_peak"
_DOTS = "pref_dir pref_speed pref_speed_multi time_to_peak"


def _keys(stimulus: str, names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{stimulus}" for name in f"{_COMMON} {names}".split())


_SHARED = _keys("dg", _GRATINGS) + _keys("fl", _FLASHES) + _keys("rf", _FIELD)

METRIC_KEYS: dict[str, tuple[str, ...]] = {
    "brain_observatory_1.1": (
        *_SHARED,
        *_keys("sg", f"{_STATIC} time_to_peak"),
        *_keys("ns", "time_to_peak pref_image image_selectivity"),
        "pref_images_multi_ns",
    ),
    "functional_connectivity": (*_SHARED, *_keys("dm", _DOTS), "pref_dir_multi_dg"),
}
"""The keys of the bundles (``ecephys_unit_metric_bundles.data``) of each session type, as in the
Visual Coding release. Each name ends with the stimulus: drifting and static gratings, natural
scenes, flashes, receptive field (Gabors), dot motion."""


def is_boolean(key: str) -> bool:
    """Tell whether the values of a documented metric are booleans; if not, they are numbers."""
    return "_multi_" in key or key == "on_screen_rf"
