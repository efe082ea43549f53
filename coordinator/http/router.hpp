#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/http/exchange.hpp"
#include "coordinator/http/target.hpp"

namespace reelfarm::http {

/// open: everybody who reaches the server. token: who shows the token, where there is one.
enum class Access { open, token };

struct Route {
  using Handler = std::function<Reply(const Request&)>;

  Method method = Method::get;
  std::string path;  ///< "/api/jobs/{job}": a name in braces takes one segment
  Access access = Access::token;
  Handler handler;
};

/// The paths that a server has. Built once, read by all threads.
class Router {
 public:
  void add(Method method, std::string path, Access access, Route::Handler handler);
  const std::vector<Route>& routes() const { return routes_; }

  struct Match {
    const Route* route = nullptr;
    std::map<std::string, std::string> places;
  };
  /// Of two that fit the one added first. Throws Refusal 404 for an unknown path, 405 for one with other methods.
  Match match(Method method, const Target& target) const;

 private:
  std::vector<Route> routes_;
  std::vector<std::vector<std::string>> segments_;  ///< of each route
};

}  // namespace reelfarm::http
