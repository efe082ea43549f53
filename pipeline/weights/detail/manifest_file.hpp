#pragma once

#include "pipeline/weights/config.hpp"
#include "pipeline/weights/manifest.hpp"

namespace reelfarm::weights::detail {

/// Lays reelfarm.json over the defaults. Throws WeightError for unknown keys, wrong types and values that cannot be.
/// The schema is described in docs/bundle.md.
void apply_manifest_file(const Config& file, BundleManifest& manifest);

/// What must hold whoever said it: windows and overlaps on the grid, templates with their placeholders. `file` is named
/// in the message.
void check_manifest(const std::filesystem::path& file, const BundleManifest& manifest);

}  // namespace reelfarm::weights::detail
