#include "pipeline/weights/convert.hpp"

#include "pipeline/weights/detail/bundle_recipe.hpp"
#include "pipeline/weights/detail/bundle_writer.hpp"

namespace reelfarm::weights {

void convert(const ConvertRequest& request) {
  detail::write_bundle(detail::plan_bundle(request), request);
}

}  // namespace reelfarm::weights
