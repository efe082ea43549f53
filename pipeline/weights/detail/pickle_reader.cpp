#include "pipeline/weights/detail/pickle_reader.hpp"

#include <bit>
#include <unordered_map>

#include "pipeline/weights/detail/byte_reader.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights::detail {
namespace {

// A 13 B transformer has some 30,000 of them.
constexpr std::size_t kMaxValues = 10'000'000;
constexpr std::uint64_t kLongestLine = 1000;
constexpr int kNewestProtocol = 5;

enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

/// Names of opcodes that are refused, for messages.
std::string opcode_name(std::uint8_t opcode) {
  switch (opcode) {
    case 'i':
      return "INST";
    case 'o':
      return "OBJ";
    case 'P':
      return "PERSID";
    case 'I':
      return "INT";
    case 'L':
      return "LONG";
    case 'F':
      return "FLOAT";
    case 'S':
      return "STRING";
    case 'T':
      return "BINSTRING";
    case 'U':
      return "SHORT_BINSTRING";
    case 'V':
      return "UNICODE";
    case 'p':
      return "PUT";
    case 'g':
      return "GET";
    case 'd':
      return "DICT";
    case 'l':
      return "LIST";
    case '0':
      return "POP";
    case '1':
      return "POP_MARK";
    case '2':
      return "DUP";
    case 0x81:
      return "NEWOBJ";
    case 0x92:
      return "NEWOBJ_EX";
    case 0x82:
    case 0x83:
    case 0x84:
      return "EXT";
    case 0x8b:
      return "LONG4";
    case 0x8f:
      return "EMPTY_SET";
    default:
      return "unknown";
  }
}

}  // namespace

std::string_view PickleValue::kind() const {
  constexpr std::string_view kKinds[] = {"None", "bool", "int",    "float",   "str",   "tuple",
                                         "list", "dict", "global", "storage", "tensor"};
  return kKinds[value.index()];
}

/// The stack machine. It lives for one pickle.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> pickle, const PickleRules& rules, const std::string& what,
                PickleReader& reader)
      : in_(pickle, what), rules_(rules), values_(reader.values_) {}

  const PickleValue* run() {
    for (;;) {
      at_ = in_.position();
      const auto opcode = in_.number<std::uint8_t>();
      if (opcode == kStop) return pop();
      step(opcode);
    }
  }

 private:
  using Ref = PickleValue*;

  std::string where() const { return in_.what() + ": pickle byte " + std::to_string(at_); }
  [[noreturn]] void fail(const std::string& message) const { throw WeightError(where() + ": " + message); }

  void push(PickleValue value) {
    if (values_.size() >= kMaxValues) fail("more than " + std::to_string(kMaxValues) + " objects");
    values_.push_back(std::move(value));
    stack_.push_back(&values_.back());
  }
  template <typename Kind>
  void push(Kind value) {
    push(PickleValue{std::move(value)});
  }

  /// What is above the last mark is all that an opcode may take.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Ref pop() {
    Ref value = top();
    stack_.pop_back();
    return value;
  }
  Ref top() const {
    if (stack_.size() <= floor()) fail("the stack is empty");
    return stack_.back();
  }
  std::vector<const PickleValue*> pop_to(std::size_t begin) {
    std::vector<const PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    return items;
  }
  std::vector<const PickleValue*> pop_mark() {
    if (marks_.empty()) fail("no mark on the stack");
    const std::size_t begin = marks_.back();
    marks_.pop_back();
    return pop_to(begin);
  }
  void tuple_of(std::size_t count) {
    if (stack_.size() < floor() + count) fail("the stack is empty");
    push(PickleTuple{pop_to(stack_.size() - count)});
  }

  void put(std::uint32_t slot) { memo_[slot] = top(); }
  void get(std::uint32_t slot) {
    const auto it = memo_.find(slot);
    if (it == memo_.end()) fail("nothing was remembered as " + std::to_string(slot));
    stack_.push_back(it->second);
  }

  std::string line() {
    std::string text;
    for (char letter = 0; (letter = static_cast<char>(in_.number<std::uint8_t>())) != '\n'; text += letter)
      if (text.size() >= kLongestLine) fail("a name of more than " + std::to_string(kLongestLine) + " letters");
    return text;
  }

  void global(const std::string& module, const std::string& name) {
    const std::string whole = module + "." + name;
    if (rules_.allows(whole)) return push(PickleGlobal{whole});
    fail("names the global " + shown(whole) +
         ", which is no part of a tensor file; nothing was run. If you trust the file, save it as tensors only "
         "(safetensors)");
  }

  void long1() {
    const auto size = in_.number<std::uint8_t>();
    const auto bytes = in_.run(size);
    if (size > 8) fail("an integer of " + std::to_string(size) + " bytes");
    std::uint64_t bits = size > 0 && (std::to_integer<int>(bytes.back()) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    std::memcpy(&bits, bytes.data(), size);
    push(static_cast<std::int64_t>(bits));
  }

  void bin_float() {
    std::uint64_t bits = 0;  // big-endian, unlike everything else
    for (const std::byte byte : in_.run(8)) bits = bits << 8 | std::to_integer<std::uint64_t>(byte);
    push(std::bit_cast<double>(bits));
  }

  void append(const std::vector<const PickleValue*>& items) {
    auto* list = std::get_if<PickleList>(&top()->value);
    if (list == nullptr) fail("appends to a " + std::string(top()->kind()));
    list->items.insert(list->items.end(), items.begin(), items.end());
  }

  void set_items(const std::vector<const PickleValue*>& items) {
    auto* dict = std::get_if<PickleDict>(&top()->value);
    if (dict == nullptr) fail("sets items of a " + std::string(top()->kind()));
    if (items.size() % 2 != 0) fail("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }

  void reduce() {
    const auto* arguments = pop()->as<PickleTuple>();
    const auto* function = pop()->as<PickleGlobal>();
    if (function == nullptr || arguments == nullptr) fail("a call of what is no global");
    push(rules_.call(function->name, arguments->items, where()));
  }

  void build() {
    pop();  // attributes, of which none is a weight
    if (top()->as<PickleDict>() == nullptr) fail("sets attributes of a " + std::string(top()->kind()));
  }

  void stack_global() {
    const auto* name = pop()->as<std::string>();
    const auto* module = pop()->as<std::string>();
    if (name == nullptr || module == nullptr) fail("a global whose name is no string");
    global(*module, *name);
  }

  void step(std::uint8_t opcode) {
    switch (opcode) {
      case kProto:
        if (const auto protocol = in_.number<std::uint8_t>(); protocol < 2 || protocol > kNewestProtocol)
          fail("protocol " + std::to_string(protocol) + ", expected 2 to " + std::to_string(kNewestProtocol));
        return;
      case kFrame:
        in_.run(8);
        return;
      case kMark:
        return marks_.push_back(stack_.size());
      case kNone:
        return push(std::monostate{});
      case kNewTrue:
        return push(true);
      case kNewFalse:
        return push(false);
      case kBinInt:
        return push(std::int64_t{in_.number<std::int32_t>()});
      case kBinInt1:
        return push(std::int64_t{in_.number<std::uint8_t>()});
      case kBinInt2:
        return push(std::int64_t{in_.number<std::uint16_t>()});
      case kLong1:
        return long1();
      case kBinFloat:
        return bin_float();
      case kBinUnicode:
        return push(std::string(in_.text(in_.number<std::uint32_t>())));
      case kShortBinUnicode:
        return push(std::string(in_.text(in_.number<std::uint8_t>())));
      case kEmptyTuple:
        return push(PickleTuple{});
      case kTuple:
        return push(PickleTuple{pop_mark()});
      case kTuple1:
        return tuple_of(1);
      case kTuple2:
        return tuple_of(2);
      case kTuple3:
        return tuple_of(3);
      case kEmptyList:
        return push(PickleList{});
      case kEmptyDict:
        return push(PickleDict{});
      case kAppend:
        return append({pop()});
      case kAppends:
        return append(pop_mark());
      case kSetItem: {
        const PickleValue* value = pop();
        return set_items({pop(), value});
      }
      case kSetItems:
        return set_items(pop_mark());
      case kBinPut:
        return put(in_.number<std::uint8_t>());
      case kLongBinPut:
        return put(in_.number<std::uint32_t>());
      case kMemoize:
        return put(static_cast<std::uint32_t>(memo_.size()));
      case kBinGet:
        return get(in_.number<std::uint8_t>());
      case kLongBinGet:
        return get(in_.number<std::uint32_t>());
      case kGlobal: {
        const std::string module = line();
        return global(module, line());
      }
      case kStackGlobal:
        return stack_global();
      case kBinPersId:
        return push(rules_.persistent(*pop(), where()));
      case kReduce:
        return reduce();
      case kBuild:
        return build();
      default:
        fail("opcode " + std::to_string(opcode) + " (" + opcode_name(opcode) +
             ") is none that torch.save writes for tensors");
    }
  }

  ByteReader in_;
  const PickleRules& rules_;
  std::deque<PickleValue>& values_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, Ref> memo_;
  std::uint64_t at_ = 0;
};

PickleReader::PickleReader(std::span<const std::byte> pickle, const PickleRules& rules, const std::string& what) {
  root_ = PickleMachine(pickle, rules, what, *this).run();
}

}  // namespace reelfarm::weights::detail
