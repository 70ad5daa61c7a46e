package pidf

// Limits bounds what Parse accepts. A zero field means its default.
type Limits struct {
	Bytes      int // of the whole document; default 64 KiB
	Depth      int // of nested elements, the root being 1; default 32
	Elements   int // in the whole document; default 2048
	Attributes int // of one element, declarations included; default 64
}

// DefaultLimits are the limits for a document from a peer.
func DefaultLimits() Limits {
	return Limits{Bytes: 64 << 10, Depth: 32, Elements: 2048, Attributes: 64}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Bytes:      orDefault(l.Bytes, d.Bytes),
		Depth:      orDefault(l.Depth, d.Depth),
		Elements:   orDefault(l.Elements, d.Elements),
		Attributes: orDefault(l.Attributes, d.Attributes),
	}
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}
