#include "cli/bundle/published_report.hpp"

#include "cli/bundle/text.hpp"

namespace reelfarm::bundle {

std::string description(const weights::PublishedReport& report) {
  std::string text = "form        " + report.form.description() + "\n";
  if (!report.variant.empty()) text += "variant     " + report.variant + "\n";
  if (!report.layers.empty()) text += "layers      " + report.layers + "\n";
  text += "numbers     " + scaled(static_cast<double>(report.parameters), "") + " in " +
          std::to_string(report.tensors) + " tensors\n";
  text += "types       " + joined(report.dtypes, "-") + "\n";
  text += "size        " + scaled(static_cast<double>(report.bytes), "B") + " in diffusers' form\n";
  if (!report.form.aside.empty())
    text += "aside       " + std::to_string(report.form.aside.size()) + " tensors of other parts, the first is " +
            report.form.aside.front() + "\n";
  text += "needs       " + report.needs + "\n";
  return text;
}

nlohmann::json report_json(const weights::PublishedReport& report) {
  return {{"form", report.form.description()},
          {"names", report.form.names},
          {"wrappers", report.form.wrappers},
          {"overlay", report.form.overlay},
          {"scaled", report.form.scaled},
          {"variant", report.variant},
          {"parameters", report.parameters},
          {"tensors", report.tensors},
          {"types", report.dtypes},
          {"bytes", report.bytes},
          {"aside", report.form.aside},
          {"needs", report.needs}};
}

}  // namespace reelfarm::bundle
