#pragma once

#include <filesystem>
#include <string>

#include "pipeline/weights/bundle.hpp"

namespace reelfarm::weights {

/// SHA-256, as 64 hexadecimal digits, of everything in the bundle that decides the bits: names, sizes and contents of
/// its files (docs/bundle.md says which), and of its LoRAs. Reads every byte once; digests are kept in `cache_file`,
/// unless it is empty, and used again while path, size, inode and times of the file stay as they were. A cache that
/// cannot be read or written costs time and nothing else. Throws WeightError.
std::string bundle_hash(const Bundle& bundle, const std::filesystem::path& cache_file = {});

/// Where the cache is kept by default: XDG_CACHE_HOME or HOME/.cache, then reelfarm/sha256.json. Empty, which is no
/// cache, when both variables are null or empty.
std::filesystem::path digest_cache_file(const char* xdg_cache_home, const char* home);

}  // namespace reelfarm::weights
