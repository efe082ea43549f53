#include "pipeline/artifacts/errors.hpp"

#include <cerrno>

namespace reelfarm::artifacts {
namespace {

std::string describe(const std::string& attempt, const std::filesystem::path& path, std::uint64_t bytes, int number) {
  std::string message = "cannot " + attempt + " " + path.string();
  if (bytes > 0) message += " (" + std::to_string(bytes) + " bytes)";
  message += ": " + std::generic_category().message(number);
  if (number == ENOSPC || number == EDQUOT) message += "; free some space there";
  if (number == EACCES || number == EPERM || number == EROFS) message += "; check owner and mode of the data folder";
  return message;
}

}  // namespace

StorageError::StorageError(const std::string& attempt, std::filesystem::path path, std::uint64_t bytes,
                           int error_number)
    : ArtifactError(describe(attempt, path, bytes, error_number)),
      path_(std::move(path)),
      bytes_(bytes),
      code_(error_number, std::generic_category()) {}

bool StorageError::no_space() const {
  return code_ == std::errc::no_space_on_device || code_.value() == EDQUOT || code_ == std::errc::file_too_large;
}

bool StorageError::not_writable() const {
  return code_ == std::errc::permission_denied || code_ == std::errc::operation_not_permitted ||
         code_ == std::errc::read_only_file_system;
}

bool is_lost(const ArtifactError& error) {
  const auto* storage = dynamic_cast<const StorageError*>(&error);
  return storage == nullptr || storage->code() == std::errc::no_such_file_or_directory;
}

}  // namespace reelfarm::artifacts
