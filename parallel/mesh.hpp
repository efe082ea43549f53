#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// How the ranks of a group share the attention of one clip: `ulysses` ranks split the heads, and `ring` such rows
/// split the keys. Rank = ring index * ulysses + ulysses index, so that neighbours, which exchange most, lie on one
/// machine.
struct MeshShape {
  int ulysses = 1;
  int ring = 1;

  int ranks() const { return ulysses * ring; }
  bool operator==(const MeshShape&) const = default;
};

/// "2x4": ulysses x ring, as in --mesh and the fingerprint.
std::string to_string(const MeshShape& shape);

/// The mesh that exchanges least: as many ranks to the heads as divide them, none of them across machines.
/// `ranks_of_machine`: ranks of this group on one machine. All counts are at least 1.
MeshShape choose_mesh(int ranks, std::int64_t heads, int ranks_of_machine);

/// Reads "UxR". Throws std::invalid_argument, saying what would fit, when it is no mesh of so many ranks and heads.
MeshShape parse_mesh(std::string_view text, int ranks, std::int64_t heads);

/// The groups of one rank's row and column in the mesh.
class Mesh {
 public:
  /// Collective over `group`, which must have shape.ranks() ranks (std::invalid_argument).
  Mesh(ProcessGroup& group, const MeshShape& shape);

  const MeshShape& shape() const { return shape_; }
  ProcessGroup& ulysses() const { return *ulysses_; }  ///< ranks that hold neighbouring tokens and split the heads
  ProcessGroup& ring() const { return *ring_; }        ///< ranks that hold the same heads
  /// See ProcessGroup::set_step.
  void set_step(const std::string& step) const;

 private:
  MeshShape shape_;
  std::unique_ptr<ProcessGroup> ulysses_;
  std::unique_ptr<ProcessGroup> ring_;
};

/// Tokens [0, total) cut flat into equal parts, one per rank; the last parts may end, or even begin, beyond the total.
struct TokenParts {
  std::int64_t total = 0;
  std::int64_t per_rank = 0;

  static TokenParts of(std::int64_t total, int ranks);

  std::int64_t begin(int rank) const { return per_rank * rank; }
  /// How many tokens of the `count` ranks from `first` on are not padding; they come first.
  std::int64_t valid(int first, int count) const;
};

}  // namespace reelfarm::parallel
