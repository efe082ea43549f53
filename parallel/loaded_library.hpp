#pragma once

#include <dlfcn.h>

#include <string>
#include <utility>

namespace reelfarm::parallel {

/// A shared library that is opened at run time, because machines without a GPU have none. Never closed: LibTorch uses
/// the same one. Throws Error, a type made from a text, with `family` in front and the dynamic loader's words.
template <typename Error>
class LoadedLibrary {
 public:
  LoadedLibrary(std::string family, std::string file)
      : family_(std::move(family)), file_(std::move(file)), handle_(dlopen(file_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw Error(family_ + ": cannot load " + file_ + ": " + dlerror());
  }

  template <typename Function>
  void find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (function == nullptr) throw Error(family_ + ": " + file_ + " has no " + name + ": " + dlerror());
  }

 private:
  std::string family_;
  std::string file_;
  void* handle_;
};

}  // namespace reelfarm::parallel
