#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "pipeline/weights/dtype.hpp"

namespace reelfarm::weights::detail {

struct PickleValue;

struct PickleTuple {
  std::vector<const PickleValue*> items;
};
struct PickleList {
  std::vector<const PickleValue*> items;
};
struct PickleDict {
  std::vector<std::pair<const PickleValue*, const PickleValue*>> items;
};
/// A name of the allow-list: a class, a function or a constant. It is a name and nothing that could be called.
struct PickleGlobal {
  std::string name;
};
/// Memory that tensors are views of.
struct PickleStorage {
  std::string key;     ///< of the archive's member
  std::string type;    ///< "torch.FloatStorage"
  std::int64_t count;  ///< elements; bytes for an untyped storage
  bool untyped;
};
struct PickleTensor {
  PickleStorage storage;
  DType dtype;
  std::int64_t offset;  ///< elements
  std::vector<std::int64_t> shape, strides;
};

/// One object of a pickle. Containers point to values of the same reader, and may contain themselves.
struct PickleValue {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, PickleTuple, PickleList, PickleDict,
               PickleGlobal, PickleStorage, PickleTensor>
      value;

  template <typename Kind>
  const Kind* as() const {
    return std::get_if<Kind>(&value);
  }
  /// "int", "tensor", ..., for messages.
  std::string_view kind() const;
};

/// Says which globals a pickle may name and what comes of calling them. Every function throws WeightError for what it
/// does not accept; `where` opens the message.
class PickleRules {
 public:
  virtual ~PickleRules() = default;
  virtual bool allows(std::string_view global) const = 0;
  virtual PickleValue call(const std::string& global, const std::vector<const PickleValue*>& arguments,
                           const std::string& where) const = 0;
  virtual PickleValue persistent(const PickleValue& id, const std::string& where) const = 0;
};

/// Builds the objects of a pickle: numbers, strings, containers, and what the rules make of the globals they allow. No
/// code of the pickle is run and nothing is imported. An opcode that torch.save does not write, and a global that the
/// rules do not allow, is a WeightError that names it.
/// Source: the opcodes of CPython's pickletools.
class PickleReader {
 public:
  PickleReader(std::span<const std::byte> pickle, const PickleRules& rules, const std::string& what);

  const PickleValue& root() const { return *root_; }

 private:
  // Values never move, and live as long as the reader: no count of references that a cycle could keep alive.
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;

  friend class PickleMachine;
};

}  // namespace reelfarm::weights::detail
