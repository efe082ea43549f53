#include "pipeline/dit/double_block.hpp"

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/quant/joined.hpp"

namespace reelfarm::dit {
DoubleBlock::Stream DoubleBlock::read_image(const nn::ParameterReader& reader, const DitConfig& config) {
  const nn::ParameterReader attn = reader.scope("attn");
  const std::int64_t width = config.width();
  return {quant::Linear(attn.scope("to_q"), width, width),
          quant::Linear(attn.scope("to_k"), width, width),
          quant::Linear(attn.scope("to_v"), width, width),
          quant::Linear(attn.scope("to_out.0"), width, width),
          attn.tensor("norm_q.weight", {config.head_dim}),
          attn.tensor("norm_k.weight", {config.head_dim}),
          quant::Linear(reader.scope("ff.net.0.proj"), width, config.mlp_width()),
          quant::Linear(reader.scope("ff.net.2"), config.mlp_width(), width)};
}

DoubleBlock::Stream DoubleBlock::read_text(const nn::ParameterReader& reader, const DitConfig& config) {
  const nn::ParameterReader attn = reader.scope("attn");
  const std::int64_t width = config.width();
  return {quant::Linear(attn.scope("add_q_proj"), width, width),
          quant::Linear(attn.scope("add_k_proj"), width, width),
          quant::Linear(attn.scope("add_v_proj"), width, width),
          quant::Linear(attn.scope("to_add_out"), width, width),
          attn.tensor("norm_added_q.weight", {config.head_dim}),
          attn.tensor("norm_added_k.weight", {config.head_dim}),
          quant::Linear(reader.scope("ff_context.net.0.proj"), width, config.mlp_width()),
          quant::Linear(reader.scope("ff_context.net.2"), config.mlp_width(), width)};
}

DoubleBlock::DoubleBlock(const nn::ParameterReader& reader, const DitConfig& config)
    : image_(read_image(reader, config)),
      text_(read_text(reader, config)),
      rows_(quant::of_rows(reader.placement().quantisation)) {}

void DoubleBlock::forward(at::Tensor& x, const TokenLayout& layout, const ModulationTable& table, std::int64_t step,
                          std::int64_t block, const JointAttention& attention, Workspace& workspace) const {
  using Branch = ModulationTable::Branch;
  const std::int64_t image_tokens = layout.shard.count;
  const Part image{image_,
                   0,
                   image_tokens,
                   &layout.rotary,
                   table.double_image(step, block, Branch::attention),
                   table.double_image(step, block, Branch::mlp),
                   layout.first_frame_tokens};
  const Part text{text_,
                  image_tokens,
                  x.size(0) - image_tokens,
                  nullptr,
                  table.double_text(step, block, Branch::attention),
                  table.double_text(step, block, Branch::mlp),
                  0};
  project(x, image, workspace);
  const auto attending = attention.begin(workspace.heads(workspace.q), workspace.heads(workspace.k),
                                         workspace.heads(workspace.v), image_tokens);
  project(x, text, workspace);
  const quant::Rows attended = attending->finish();
  finish(x, attended, image, workspace);
  finish(x, attended, text, workspace);
}

void DoubleBlock::project(const at::Tensor& x, const Part& part, Workspace& workspace) const {
  const auto rows = [&](const at::Tensor& tensor) { return tensor.narrow(0, part.begin, part.count); };
  const quant::Rows normed = modulated_norm(rows(x), part.attention, part.first_frame_tokens, rows_);
  const at::Tensor q = rows(workspace.q);
  const at::Tensor k = rows(workspace.k);
  part.stream.to_q.into(q, normed);
  part.stream.to_k.into(k, normed);
  part.stream.to_v.into(rows(workspace.v), normed);
  nn::rms_norm_rotate_(q.unflatten(-1, {workspace.num_heads, -1}), part.stream.norm_q, kNormEps, part.rotary);
  nn::rms_norm_rotate_(k.unflatten(-1, {workspace.num_heads, -1}), part.stream.norm_k, kNormEps, part.rotary);
}

void DoubleBlock::finish(at::Tensor& x, const quant::Rows& attended, const Part& part, Workspace& workspace) const {
  const at::Tensor rows = x.narrow(0, part.begin, part.count);
  const quant::Rows own = quant::converted(attended.narrow(part.begin, part.count), rows_, x.scalar_type());
  add_gated_(rows, part.stream.to_out(own), part.attention, part.first_frame_tokens);
  const at::Tensor hidden = workspace.mlp(part.count);
  part.stream.mlp_in.into(hidden, modulated_norm(rows, part.mlp, part.first_frame_tokens, rows_));
  add_gated_(rows, part.stream.mlp_out(quant::gelu(hidden, rows_)), part.mlp, part.first_frame_tokens);
}

std::vector<at::Tensor*> DoubleBlock::parameters() {
  std::vector<at::Tensor*> all;
  for (Stream* stream : {&image_, &text_}) {
    all.push_back(&stream->norm_q);
    all.push_back(&stream->norm_k);
    for (quant::Linear* linear :
         {&stream->to_q, &stream->to_k, &stream->to_v, &stream->to_out, &stream->mlp_in, &stream->mlp_out}) {
      for (at::Tensor* parameter : linear->parameters()) all.push_back(parameter);
    }
  }
  return all;
}

}  // namespace reelfarm::dit
