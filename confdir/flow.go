package confdir

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/hookswitch/hookswitch/store"
)

// ReplaceFlow returns the files of an organization in which the document of a flow has
// another text. All that stands around it stays to the byte.
func ReplaceFlow(files store.Files, flow, source string) (store.Files, error) {
	for name := range files {
		docs, err := documents(files, name)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if v := field(d.root, "flow"); v == nil || v.Value != flow {
				continue
			}
			text := files[name]
			old := text[d.from:d.to]
			fresh := fit(source, old, d.to < len(text))
			out := maps.Clone(files)
			out[name] = bytes.Join([][]byte{text[:d.from], fresh, text[d.to:]}, nil)
			return out, nil
		}
	}
	return nil, fmt.Errorf("no file holds flow %s", flow)
}

// fit gives a document the line breaks and the beginning of the one whose place it takes.
func fit(source string, old []byte, more bool) []byte {
	const mark = "---\n"
	bom := []byte("\ufeff")
	begins := bytes.TrimPrefix(old, bom)
	if marked := bytes.HasPrefix(begins, []byte("---")); marked && !strings.HasPrefix(source, "---") {
		source = mark + source
	} else if !marked {
		source = strings.TrimPrefix(source, mark)
	}
	if more && !strings.HasSuffix(source, "\n") {
		source += "\n"
	}
	if bytes.Contains(old, []byte("\r\n")) {
		source = strings.ReplaceAll(source, "\n", "\r\n")
	}
	if len(begins) < len(old) {
		source = string(bom) + source
	}
	return []byte(source)
}
