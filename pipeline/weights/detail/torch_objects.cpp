#include "pipeline/weights/detail/torch_objects.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr std::string_view kOrderedDict = "collections.OrderedDict", kSize = "torch.Size", kDevice = "torch.device";
constexpr std::string_view kTensor = "torch._utils._rebuild_tensor", kTensor2 = "torch._utils._rebuild_tensor_v2",
                           kTensor3 = "torch._utils._rebuild_tensor_v3", kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kUntyped = "torch.storage.UntypedStorage";
constexpr std::size_t kMostDimensions = 16;

struct Row {
  std::string_view storage;  // class of a storage that has this type; empty where torch has none
  std::string_view dtype;
  std::optional<DType> ours;
};
constexpr std::array<Row, 16> kTypes{{{"torch.DoubleStorage", "torch.float64", DType::f64},
                                      {"torch.FloatStorage", "torch.float32", DType::f32},
                                      {"torch.HalfStorage", "torch.float16", DType::f16},
                                      {"torch.BFloat16Storage", "torch.bfloat16", DType::bf16},
                                      {"torch.LongStorage", "torch.int64", DType::i64},
                                      {"torch.IntStorage", "torch.int32", DType::i32},
                                      {"torch.ShortStorage", "torch.int16", DType::i16},
                                      {"torch.CharStorage", "torch.int8", DType::i8},
                                      {"torch.ByteStorage", "torch.uint8", DType::u8},
                                      {"torch.BoolStorage", "torch.bool", DType::boolean},
                                      {"", "torch.float8_e4m3fn", DType::f8_e4m3},
                                      {"", "torch.float8_e5m2", DType::f8_e5m2},
                                      {"torch.ComplexFloatStorage", "torch.complex64", std::nullopt},
                                      {"torch.ComplexDoubleStorage", "torch.complex128", std::nullopt},
                                      {"", "torch.uint16", std::nullopt},
                                      {"", "torch.uint32", std::nullopt}}};

constexpr std::array<std::string_view, 8> kOthers{kOrderedDict, kSize,    kDevice,    kTensor,
                                                  kTensor2,     kTensor3, kParameter, kUntyped};

using Arguments = std::vector<const PickleValue*>;

[[noreturn]] void fail(const std::string& where, const std::string& message) {
  throw WeightError(where + ": " + message);
}

template <typename Kind>
const Kind& argument(const Arguments& arguments, std::size_t index, const char* expected, const std::string& where) {
  if (index >= arguments.size())
    fail(where, std::string(expected) + " expected as argument " + std::to_string(index + 1) + ", found " +
                    std::to_string(arguments.size()) + " arguments");
  const auto* found = arguments[index]->as<Kind>();
  if (found == nullptr)
    fail(where, std::string(expected) + " expected as argument " + std::to_string(index + 1) + ", found a " +
                    std::string(arguments[index]->kind()));
  return *found;
}

std::vector<std::int64_t> integers(const PickleTuple& tuple, const std::string& where) {
  if (tuple.items.size() > kMostDimensions) fail(where, std::to_string(tuple.items.size()) + " dimensions");
  std::vector<std::int64_t> numbers;
  for (const PickleValue* item : tuple.items) {
    const auto* number = item->as<std::int64_t>();
    if (number == nullptr || *number < 0) fail(where, "sizes and strides are expected to be non-negative integers");
    numbers.push_back(*number);
  }
  return numbers;
}

DType dtype_of(std::string_view name, const std::string& where) {
  for (const Row& row : kTypes) {
    if (name != row.dtype && name != row.storage) continue;
    if (row.ours) return *row.ours;
    break;
  }
  fail(where, "a tensor of type " + std::string(name) + ", expected one of " + known_dtype_names());
}

/// storage, offset, size, stride, requires_grad, hooks; the third version has the dtype behind them.
PickleTensor rebuild(const std::string& function, const Arguments& arguments, const std::string& where) {
  PickleTensor tensor;
  tensor.storage = argument<PickleStorage>(arguments, 0, "a storage", where);
  tensor.offset = argument<std::int64_t>(arguments, 1, "an offset", where);
  if (tensor.offset < 0) fail(where, "an offset of " + std::to_string(tensor.offset));
  tensor.shape = integers(argument<PickleTuple>(arguments, 2, "a size", where), where);
  tensor.strides = integers(argument<PickleTuple>(arguments, 3, "strides", where), where);
  if (tensor.shape.size() != tensor.strides.size())
    fail(where,
         std::to_string(tensor.shape.size()) + " sizes and " + std::to_string(tensor.strides.size()) + " strides");
  if (function == kTensor3)
    tensor.dtype = dtype_of(argument<PickleGlobal>(arguments, 6, "a dtype", where).name, where);
  else
    tensor.dtype = dtype_of(tensor.storage.type, where);
  return tensor;
}

}  // namespace

bool TorchObjects::allows(std::string_view global) const {
  return std::ranges::find(kOthers, global) != kOthers.end() || std::ranges::any_of(kTypes, [&](const Row& row) {
           return global == row.dtype || (!row.storage.empty() && global == row.storage);
         });
}

PickleValue TorchObjects::call(const std::string& global, const Arguments& arguments, const std::string& where) const {
  const std::string at = where + ": " + global;
  if (global == kTensor || global == kTensor2 || global == kTensor3) return {rebuild(global, arguments, at)};
  if (global == kParameter) return {argument<PickleTensor>(arguments, 0, "a tensor", at)};
  if (global == kSize) return {argument<PickleTuple>(arguments, 0, "a tuple", at)};
  if (global == kDevice) return {std::monostate{}};
  if (global == kOrderedDict && arguments.empty()) return {PickleDict{}};
  fail(where,
       "calls " + shown(global) + " with " + std::to_string(arguments.size()) + " arguments, which makes no tensor");
}

PickleValue TorchObjects::persistent(const PickleValue& id, const std::string& where) const {
  const auto* tuple = id.as<PickleTuple>();
  if (tuple == nullptr) fail(where, "a persistent id that is a " + std::string(id.kind()));
  const std::string at = where + ": persistent id";
  if (argument<std::string>(tuple->items, 0, "\"storage\"", at) != "storage") fail(at, "not that of a storage");
  const std::string& type = argument<PickleGlobal>(tuple->items, 1, "a storage class", at).name;
  const bool untyped = type == kUntyped;
  if (!untyped && std::ranges::none_of(kTypes, [&](const Row& row) { return row.storage == type; }))
    fail(at, type + " is no storage class");
  const auto count = argument<std::int64_t>(tuple->items, 4, "a number of elements", at);
  if (count < 0) fail(at, std::to_string(count) + " elements");
  return {PickleStorage{argument<std::string>(tuple->items, 2, "a key", at), type, count, untyped}};
}

}  // namespace reelfarm::weights::detail
