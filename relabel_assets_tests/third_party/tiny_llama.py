"""A llama.cpp server in its own process, with a Llama of random weights that emits bytes.

Run as `python -m relabel_assets_tests.third_party.tiny_llama FOLDER PORT`: it writes
FOLDER/tiny.gguf and serves it until it is ended. What it answers is noise, but llama.cpp's grammar
holds the noise to the JSON schema of the request.
"""

import sys
import threading
from pathlib import Path

import numpy as np

WIDTH, HEADS, CONTEXT = 64, 2, 16_384
BYTES = [f"<0x{value:02X}>".encode() for value in range(256)]
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def write_model(file: Path) -> None:
    """Write a model with one layer and a vocabulary of the 256 bytes."""
    import gguf

    draw = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    tokens = [b"<unk>", b"<s>", b"</s>", *BYTES]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([2, 3, 3, *[6] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)

    def random(*shape: int, spread: float = 0.3) -> np.ndarray:
        return (draw.standard_normal(shape) * spread).astype(np.float32)

    # The first dimension is the same large number everywhere, so that the output's first column is
    # a bias: to letters, digits and the end of a string. Noise of all bytes is not UTF-8, which
    # llama.cpp's reply parser does not take.
    embedding, output = random(len(tokens), WIDTH), random(len(tokens), WIDTH, spread=0.02)
    embedding[:, 0] = 50
    output[:, 0] = -2
    for character in b"abcdefghijklmnopqrstuvwxyz0123":
        output[3 + character, 0] = 0
    output[3 + ord('"'), 0] = 0.1
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", random(WIDTH, WIDTH))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(file: Path, port: int) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 2 * CONTEXT, 2, 0
    params.cpuparams.n_threads = 1
    params.port = port
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    model = Path(sys.argv[1]) / "tiny.gguf"
    write_model(model)
    serve(model, int(sys.argv[2]))
