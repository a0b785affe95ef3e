# The layers of src/, bottom first: the one place that says which layer may include which.
#
# FH_LAYERS lists every layer in link order. FH_SEES_<layer> lists the layers whose headers <layer> may include besides
# its own; the build gives it include paths for those and for no others, so a forbidden include does not compile.
# `scripts/check_layers.sh` proves the other half: no layer calls a function that stands above it.

set(FH_LAYERS base os config guard pages cache slab heap large core insight api)

set(FH_SEES_base "")
set(FH_SEES_os base)
set(FH_SEES_config base os)
set(FH_SEES_guard base os config)
set(FH_SEES_pages base os config guard)

# The four places where memory lives. Siblings never see each other; core joins them.
set(FH_SEES_cache base os config guard pages)
set(FH_SEES_slab base os config guard pages)
set(FH_SEES_heap base os config guard pages)
set(FH_SEES_large base os config guard pages)

set(FH_SEES_core base os config guard pages cache slab heap large)
set(FH_SEES_insight ${FH_SEES_core} core)
set(FH_SEES_api ${FH_SEES_insight} insight)

# The layers that implement the public header and may include it.
set(FH_PUBLIC_LAYERS insight api)
