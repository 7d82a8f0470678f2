"""Vega, Vega-Lite and Vega-Embed as one script, kept beside this module so that a report needs no network.

    python -m ops.analytics.page.vega

makes `vega.js` anew, of the versions that the pinned vl-convert-python holds (a development dependency of 80 MB, which
is why analysts are not asked to install it). All three are under the BSD 3-Clause licence.
"""

from pathlib import Path

SCRIPT = Path(__file__).with_name("vega.js")

VEGA_LITE = "6.4"


def bundle() -> str:
    """Bundle the libraries; takes seconds."""
    import vl_convert  # noqa: PLC0415 (a development dependency)

    versions = (
        f"Vega {vl_convert.get_vega_version()}, Vega-Lite {VEGA_LITE}, Vega-Embed {vl_convert.get_vega_embed_version()}"
    )
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return f"/* {versions}; BSD-3-Clause, https://github.com/vega. Made by ops/analytics/page/vega.py. */\n{script}\n"


if __name__ == "__main__":
    SCRIPT.write_text(bundle(), encoding="utf-8")
