"""Tables as AllenSDK's cache writes them: a few typed rows, or the release that a variable names.

The published tables are not ours to hand on. These rows are invented, in their form and with their
oddities: a probe without LFP, sampling rates of 0.0, and subsampling factors that are missing.
"""

from __future__ import annotations

import os
from pathlib import Path

RELEASE = os.environ.get("ECEPHYS_DAL_RELEASE")
SOURCES = ["typed rows", *(["the release"] if RELEASE else [])]

_TABLES = {
    "sessions": """\
id,date_of_acquisition,isi_experiment_id,published_at,specimen_id,session_type,age_in_days,sex,genotype,has_nwb
715000001,2019-01-19T08:54:18Z,705000001,2019-10-03T00:00:00Z,699000001,brain_observatory_1.1,118.0,M,Sst-IRES-Cre/wt;Ai32(RCL-ChR2(H134R)_EYFP)/wt,True
719000002,2019-01-09T00:25:16Z,712000002,2019-10-03T00:00:00Z,703000002,functional_connectivity,122.0,F,wt,True
721000003,2019-01-09T00:25:35Z,715000003,2019-10-03T00:00:00Z,707000003,brain_observatory_1.1,93.5,M,wt,False
""",
    "probes": """\
id,air_channel_index,ecephys_session_id,lfp_sampling_rate,lfp_temporal_subsampling_factor,name,phase,sampling_rate,surface_channel_index,has_lfp_data
729000001,384,719000002,2499.99728487454,2.0,probeA,3a,29999.9674184945,336,True
729000003,384,715000001,2499.99979341437,2.0,probeA,3a,29999.9975209724,328,True
729000002,384,719000002,2499.99323996257,2.0,probeC,3a,29999.9188795509,344,False
729000004,380,715000001,2500.0,4.0,probeB,PXI,30000.0,330,True
729000005,384,721000003,0.0,,probeF,PXI,0.0,384,True
""",
    "session_table_processed": """\
id,published_at,specimen_id,session_type,age_in_days,sex,full_genotype,unit_count,channel_count,probe_count,ecephys_structure_acronyms
715000001,2019-10-03T00:00:00Z,699000001,brain_observatory_1.1,118.0,M,Sst-IRES-Cre/wt,884,2219,2,"['CA1'
 nan]"
719000002,2019-10-03T00:00:00Z,703000002,functional_connectivity,122.0,F,wt,755,2214,2,['TH']
721000003,2019-10-03T00:00:00Z,707000003,brain_observatory_1.1,93.5,M,wt,444,373,1,['grey']
""",
}


def published_folder(source: str, folder: Path) -> Path:
    """Return the folder of the tables of one of `SOURCES`; typed rows are written to ``folder``."""
    if source == "the release":
        return Path(RELEASE or "")
    for name, table in _TABLES.items():
        (folder / f"{name}.csv").write_text(table, encoding="utf-8")
    return folder
