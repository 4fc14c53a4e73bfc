package import CKernels
import Foundation

/// A set of processor instructions that kernels are written for. Products give the same bits under all of them.
public enum InstructionSet: String, CaseIterable, Sendable {
    case scalar
    case avx2
    case neon
    case avx512vnni

    package var identifier: ft_isa {
        switch self {
        case .scalar: FT_ISA_SCALAR
        case .avx2: FT_ISA_AVX2
        case .neon: FT_ISA_NEON
        case .avx512vnni: FT_ISA_AVX512VNNI
        }
    }

    /// Whether this processor has the set.
    public var isSupported: Bool { ft_isa_supported(identifier) }

    /// The widest set that this processor has.
    public static let best: InstructionSet =
        [.avx512vnni, .avx2, .neon].first { $0.isSupported } ?? .scalar

    /// What the environment variable `FORETOKEN_ISA` names, or else the best.
    public static func selected() throws(KernelError) -> InstructionSet {
        guard let name = ProcessInfo.processInfo.environment["FORETOKEN_ISA"], !name.isEmpty else { return best }
        guard let set = InstructionSet(rawValue: name) else { throw .unknownInstructionSet(name) }
        guard set.isSupported else { throw .unsupportedInstructionSet(set) }
        return set
    }
}
