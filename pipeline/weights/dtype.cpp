#include "pipeline/weights/dtype.hpp"

#include <array>

namespace reelfarm::weights {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

// In the order of the enumeration: the value is the index.
constexpr std::array<Row, 12> kRows{{{DType::f64, "F64", 8},
                                     {DType::f32, "F32", 4},
                                     {DType::f16, "F16", 2},
                                     {DType::bf16, "BF16", 2},
                                     {DType::f8_e4m3, "F8_E4M3", 1},
                                     {DType::f8_e5m2, "F8_E5M2", 1},
                                     {DType::i64, "I64", 8},
                                     {DType::i32, "I32", 4},
                                     {DType::i16, "I16", 2},
                                     {DType::i8, "I8", 1},
                                     {DType::u8, "U8", 1},
                                     {DType::boolean, "BOOL", 1}}};

constexpr bool rows_follow_enumeration() {
  for (std::size_t i = 0; i < kRows.size(); ++i)
    if (static_cast<std::size_t>(kRows[i].dtype) != i) return false;
  return true;
}
static_assert(rows_follow_enumeration());

}  // namespace

std::size_t size_of(DType dtype) {
  return kRows.at(static_cast<std::size_t>(dtype)).size;
}

std::string_view name_of(DType dtype) {
  return kRows.at(static_cast<std::size_t>(dtype)).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const Row& row : kRows)
    if (row.name == name) return row.dtype;
  return std::nullopt;
}

std::string known_dtype_names() {
  std::string names;
  for (const Row& row : kRows) names.append(names.empty() ? "" : ", ").append(row.name);
  return names;
}

}  // namespace reelfarm::weights
