import TensorFiles

/// A JSON array of token ids, or an array of such arrays.
public enum TokenFile {
    /// The lists of ids; one for a flat array.
    public static func read(_ path: String) throws -> [[Int]] {
        let root = try JSONDocument(path: path).root
        guard root.kind == .array else {
            throw RuntimeError.promptFile(path: path, line: nil, "is not a JSON array of token ids")
        }
        let elements = Array(root.elements)
        let nested = elements.contains { $0.kind == .array }
        let lists = nested ? try elements.map { try list($0, path) } : [try list(root, path)]
        guard lists.allSatisfy({ !$0.isEmpty }), !lists.isEmpty else {
            throw RuntimeError.promptFile(path: path, line: nil, "holds a list without token ids")
        }
        return lists
    }

    private static func list(_ node: JSONNode, _ path: String) throws -> [Int] {
        guard node.kind == .array else {
            throw RuntimeError.promptFile(path: path, line: nil, "mixes ids and lists, byte \(node.byteOffset)")
        }
        return try node.elements.map { element in
            guard let id = element.int else {
                throw RuntimeError.promptFile(
                    path: path, line: nil, "has no whole number at byte \(element.byteOffset)")
            }
            return id
        }
    }
}
