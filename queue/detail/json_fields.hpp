#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "queue/codec.hpp"
#include "queue/errors.hpp"

namespace reelfarm::queue::detail {

/// Reads the fields of one JSON object; every error names the document and the field.
class JsonFields {
 public:
  JsonFields(const nlohmann::json& object, std::string_view document) : object_(object), document_(document) {
    if (!object.is_object()) throw CodecError(document_ + ": expected a JSON object, found " + object.type_name());
  }

  /// Throws SchemaError when "schema" is another number than kSchema.
  const JsonFields& check_schema() const {
    const int found = get<int>("schema");
    if (found != kSchema) {
      throw SchemaError(found, kSchema,
                        document_ + ": schema " + std::to_string(found) + ", this program knows " +
                            std::to_string(kSchema) + "; it was written by another version of reelfarm");
    }
    return *this;
  }

  template <typename T>
  T get(const char* name) const {
    const auto field = object_.find(name);
    if (field == object_.end()) throw CodecError(document_ + ": field \"" + name + "\" is missing");
    return convert<T>(name, *field);
  }

  /// Leaves `target` as it is when the field is missing.
  template <typename T>
  void read(const char* name, T& target) const {
    const auto field = object_.find(name);
    if (field != object_.end()) target = convert<T>(name, *field);
  }

  /// A missing field or null is an empty optional.
  template <typename T>
  void read(const char* name, std::optional<T>& target) const {
    const auto field = object_.find(name);
    target = field == object_.end() || field->is_null() ? std::nullopt : std::optional<T>(convert<T>(name, *field));
  }

  /// The field's JSON, or nullptr when it is missing or null.
  const nlohmann::json* find(const char* name) const {
    const auto field = object_.find(name);
    return field == object_.end() || field->is_null() ? nullptr : &*field;
  }

 private:
  template <typename T>
  T convert(const char* name, const nlohmann::json& field) const {
    const bool fits = [&] {
      if constexpr (std::is_same_v<T, bool>)
        return field.is_boolean();
      else if constexpr (std::is_unsigned_v<T>)
        return field.is_number_unsigned();
      else if constexpr (std::is_integral_v<T>)
        return field.is_number_integer();
      else if constexpr (std::is_floating_point_v<T>)
        return field.is_number();
      else
        return true;
    }();
    if (fits) {
      try {
        T value = field.get<T>();
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          if (nlohmann::json(value) != field) throw CodecError(describe(name, field) + " is out of range");
        }
        return value;
      } catch (const nlohmann::json::exception&) {
      }
    }
    throw CodecError(describe(name, field) + " has the wrong type (" + field.type_name() + ")");
  }

  std::string describe(const char* name, const nlohmann::json& field) const {
    std::string value = field.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (value.size() > 80) value = value.substr(0, 77) + "...";
    return document_ + ": field \"" + name + "\" = " + value;
  }

  const nlohmann::json& object_;
  std::string document_;
};

/// Parses text; throws CodecError with the parser's words.
inline nlohmann::json parse_document(std::string_view text, std::string_view document) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {  // parse_error, and out_of_range for 1e999
    throw CodecError(std::string(document) + ": not JSON: " + error.what());
  }
}

}  // namespace reelfarm::queue::detail
