#include "coordinator/submission/input_image.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "coordinator/errors.hpp"
#include "coordinator/submission/sibling.hpp"
#include "coordinator/text_check.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCopyBytes = 1 << 20;

/// File names may be any bytes, what is stored is UTF-8.
std::string file_name_for_people(const std::string& path) {
  std::string name = fs::path(path).filename().string();
  try {
    check_text("the name", name, name.size(), false);
    return name;
  } catch (const Rejected&) {
    return "image";
  }
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// Hashes what it copies, so that the name fits the content even when the file changes meanwhile.
std::string copy_and_hash(const std::string& from, const fs::path& to) {
  artifacts::File in = artifacts::File::open_to_read(from);
  artifacts::File out = artifacts::File::create(to);
  artifacts::Sha256 hash;
  std::vector<std::uint8_t> buffer(kCopyBytes);
  while (const std::size_t count = in.read(buffer)) {
    const auto piece = std::span<const std::uint8_t>(buffer).first(count);
    hash.update(piece);
    out.write(piece);
  }
  out.sync();
  out.close();
  return hash.finish();
}

}  // namespace

queue::ImageInput inspect_image(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw BadInput("the image " + path + " does not exist");
  if (!fs::is_regular_file(path, error)) throw BadInput("the image " + path + " is not a file");
  const posix::Ended result = run_sibling("reelfarm-image", {path});
  if (result.exit_code != 0) {
    const std::string words = first_line(result.errors);
    throw BadInput(words.empty() ? "the image " + path + " cannot be read (reelfarm-image ended with code " +
                                       std::to_string(result.exit_code) + ")"
                                 : words);
  }
  queue::ImageInput image;
  try {
    image.kind = nlohmann::json::parse(result.output).at("kind").get<std::string>();
    image.sha256 = artifacts::sha256_of_file(path);
  } catch (const nlohmann::json::exception& problem) {
    throw BadInput("reelfarm-image printed something else than a description of " + path + " (" + problem.what() +
                   "); are the programs of one version?");
  } catch (const artifacts::ArtifactError& problem) {
    throw BadInput(problem.what());
  }
  image.name = file_name_for_people(path);
  return image;
}

void store_input(const queue::DataFolder& data, const std::string& path, const queue::ImageInput& image) {
  const fs::path target = data.input(image.sha256);
  // gc takes inputs that no job names unless they are young, and this one is named only after the submit.
  if (::utimensat(AT_FDCWD, target.c_str(), nullptr, 0) == 0) return;
  std::error_code ignored;
  if (errno != ENOENT && fs::exists(target, ignored)) return;
  artifacts::create_folders(data.inputs());
  const fs::path temporary = data.inputs() / (".input-" + image.sha256 + "-" + std::to_string(::getpid()) + ".tmp");
  try {
    if (copy_and_hash(path, temporary) != image.sha256) {
      throw BadInput("the image " + path + " changed while it was being submitted: submit it again");
    }
    artifacts::rename_durably(temporary, target);
  } catch (const artifacts::StorageError& error) {
    ::unlink(temporary.c_str());
    // Somebody else has just stored the same content.
    if (error.code().value() != EEXIST) throw;
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace reelfarm::coordinator
