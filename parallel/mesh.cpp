#include "parallel/mesh.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <stdexcept>

namespace reelfarm::parallel {
namespace {

/// A positive number that is all of `text`; 0 for anything else.
int positive(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 ? value : 0;
}

std::string meshes_of(int ranks, std::int64_t heads) {
  std::string known;
  for (int ulysses = 1; ulysses <= ranks; ++ulysses) {
    if (ranks % ulysses == 0 && heads % ulysses == 0) known += " " + to_string({ulysses, ranks / ulysses});
  }
  return known;
}

}  // namespace

std::string to_string(const MeshShape& shape) {
  return std::to_string(shape.ulysses) + "x" + std::to_string(shape.ring);
}

MeshShape choose_mesh(int ranks, std::int64_t heads, int ranks_of_machine) {
  const int near = std::gcd(ranks, ranks_of_machine);
  const int ulysses = static_cast<int>(std::gcd(static_cast<std::int64_t>(near), heads));
  return {ulysses, ranks / ulysses};
}

MeshShape parse_mesh(std::string_view text, int ranks, std::int64_t heads) {
  const std::size_t cross = text.find('x');
  MeshShape shape{0, 0};
  if (cross != std::string_view::npos) shape = {positive(text.substr(0, cross)), positive(text.substr(cross + 1))};
  const bool fits = shape.ulysses > 0 && shape.ring > 0 && ranks % shape.ulysses == 0 &&
                    ranks / shape.ulysses == shape.ring && heads % shape.ulysses == 0;
  if (fits) return shape;
  throw std::invalid_argument(
      "--mesh " + std::string(text) + " is no mesh of " + std::to_string(ranks) + " rank(s) and " +
      std::to_string(heads) +
      " heads (ulysses x ring, ulysses divides the heads); these are:" + meshes_of(ranks, heads));
}

Mesh::Mesh(ProcessGroup& group, const MeshShape& shape) : shape_(shape) {
  if (group.size() != shape.ranks()) {
    throw std::invalid_argument("mesh " + to_string(shape) + " in a group of " + std::to_string(group.size()) +
                                " ranks");
  }
  ulysses_ = group.split(group.rank() / shape.ulysses);
  ring_ = group.split(group.rank() % shape.ulysses);
}

void Mesh::set_step(const std::string& step) const {
  ulysses_->set_step(step);
  ring_->set_step(step);
}

TokenParts TokenParts::of(std::int64_t total, int ranks) {
  return {total, (total + ranks - 1) / ranks};
}

std::int64_t TokenParts::valid(int first, int count) const {
  return std::clamp<std::int64_t>(total - begin(first), 0, per_rank * count);
}

}  // namespace reelfarm::parallel
