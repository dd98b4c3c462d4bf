package symbols

// addPLT names the stubs through which a program calls its libraries, for example malloc@plt.
func (t *Table) addPLT() {
	o := t.object
	var plt, relocations *section
	first := uint64(0) // the stub that all others jump to
	switch plt, relocations = o.named(".plt.sec"), o.named(".rela.plt"); {
	case relocations == nil || !o.wide:
		return
	case plt != nil:
	case o.machine == machineX86:
		plt, first = o.named(".plt"), 16
	case o.machine == machineARM:
		plt, first = o.named(".plt"), 32
	}
	if plt == nil || uint64(relocations.link) >= uint64(len(o.sections)) || relocations.kind != sectionRela ||
		!o.runs(plt.addr) {
		return
	}
	symbols := &o.sections[relocations.link]
	if symbols.kind != sectionDynsym || uint64(symbols.link) >= uint64(len(o.sections)) {
		return
	}
	names, err := o.contents(&o.sections[symbols.link], maxNameBytes)
	if err != nil {
		return
	}
	data, err := o.contents(relocations, 16<<20)
	if err != nil {
		return
	}
	var nameAt []uint32
	o.eachSymbol(symbols, func(s symbol) bool {
		nameAt = append(nameAt, s.name)
		return true
	})
	for at := plt.addr + first; len(data) >= 24 && at-plt.addr+16 <= plt.size; at, data = at+16, data[24:] {
		index := u64(data[8:]) >> 32
		if index == 0 || index >= uint64(len(nameAt)) {
			continue // the function is chosen when the program starts, and has no name here
		}
		name := text(names, uint64(nameAt[index]), maxSymbolName)
		if len(name) == 0 || len(t.names)+len(name) > maxNameBytes {
			continue
		}
		t.functions = append(t.functions, function{
			start: at, end: at + 16, name: uint32(len(t.names)), length: uint16(len(name) + 4), kind: typeFunc,
		})
		t.names = append(append(t.names, name...), "@plt"...)
	}
}
