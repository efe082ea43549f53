#include "cli/siblings.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/errors.hpp"

namespace reelfarm::cli {

void become_sibling(const std::string& name, const std::vector<std::string>& words) {
  const std::filesystem::path program = find_sibling(name);
  std::vector<std::string> line = {program.string()};
  line.insert(line.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (std::string& word : line) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  throw BadInput("cannot start " + program.string() + ": " + std::strerror(errno));
}

}  // namespace reelfarm::cli
