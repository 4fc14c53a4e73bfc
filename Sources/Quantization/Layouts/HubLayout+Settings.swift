public import ModelGraph

/// What runtimes look for beside the tensors.
extension HubLayout {
    /// Members of `config.json`.
    ///
    /// - Parameter dense: paths of the linear modules that were left as they are (QS-03), in any order.
    public func settings(dense: [String]) -> [String: Setting] {
        switch scheme {
        case .mlxQ4, .mlxQ8:
            // mlx-lm reads the first; its own converter writes both.
            let settings = mlxSettings(dense)
            return ["quantization": settings, "quantization_config": settings]
        case .w4a16, .w8a8: return ["quantization_config": compressedSettings(dense)]
        case .gptqQ4: return ["quantization_config": gptqSettings(dense)]
        }
    }

    /// Files beside `config.json`: GPTQ's older loaders want their settings in one of their own.
    public func sideFiles(dense: [String]) -> [(name: String, content: Setting)] {
        scheme == .gptqQ4 ? [("quantize_config.json", gptqSettings(dense))] : []
    }

    /// The value of `format` in `__metadata__`.
    public var metadataFormat: String { isMLX ? "mlx" : "pt" }

    private func mlxSettings(_ dense: [String]) -> Setting {
        var members: [String: Setting] = [
            "group_size": .integer(groupSize ?? 64), "bits": .integer(bits), "mode": .string("affine"),
        ]
        for module in dense { members[module] = .bool(false) }
        return .object(members)
    }

    /// Loaders refuse members that they do not know, so there are only those that the library itself writes.
    private func compressedSettings(_ dense: [String]) -> Setting {
        let format = scheme == .w4a16 ? "pack-quantized" : "int-quantized"
        func arguments(_ strategy: String, group: Int?, dynamic: Bool, observer: String?) -> Setting {
            .object([
                "num_bits": .integer(bits), "type": .string("int"), "symmetric": .bool(true),
                "strategy": .string(strategy), "group_size": group.map { .integer($0) } ?? .null,
                "dynamic": .bool(dynamic), "actorder": .null, "block_structure": .null,
                "observer": observer.map { .string($0) } ?? .null, "observer_kwargs": .object([:]),
            ])
        }
        let weights = arguments(
            groupSize == nil ? "channel" : "group", group: groupSize, dynamic: false, observer: "minmax")
        let activations: Setting =
            scheme == .w8a8 ? arguments("token", group: nil, dynamic: true, observer: nil) : .null
        return .object([
            "quant_method": .string("compressed-tensors"), "format": .string(format),
            "quantization_status": .string("compressed"), "global_compression_ratio": .null,
            "ignore": .array((["lm_head"] + dense.sorted().filter { $0 != "lm_head" }).map { .string($0) }),
            "kv_cache_scheme": .null,
            "config_groups": .object([
                "group_0": .object([
                    "targets": .array([.string("Linear")]), "weights": weights, "input_activations": activations,
                    "output_activations": .null,
                ])
            ]),
        ])
    }

    private func gptqSettings(_ dense: [String]) -> Setting {
        var members: [String: Setting] = [
            "quant_method": .string("gptq"), "bits": .integer(bits), "group_size": .integer(groupSize ?? 128),
            "desc_act": .bool(false), "sym": .bool(false), "lm_head": .bool(false),
            "checkpoint_format": .string("gptq_v2"), "pack_dtype": .string("int32"), "true_sequential": .bool(true),
        ]
        if !dense.isEmpty {
            // A pattern with a minus in front takes modules out.
            let rules = dense.map { ("-:^" + $0.replacing(".", with: "\\.") + "$", Setting.object([:])) }
            members["dynamic"] = .object(Dictionary(rules) { first, _ in first })
        }
        return .object(members)
    }
}
