package confdir

import (
	"bytes"
	"fmt"
	"regexp"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/store"
)

// document is one of a file, and where in the file it is.
type document struct {
	from, to int // bytes; a line --- in front of it is a part of it
	root     *yaml.Node
}

var (
	startsDocument = regexp.MustCompile(`(?m)^---(?:[ \t\r]|$)`)
	says           = regexp.MustCompile(`(?m)^[ \t\x{feff}]*[^#\s\x{feff}]`) // something else than comments
)

// documents parses the documents of a file, which are divided as flowengine divides them;
// none of a file of another kind.
func documents(files store.Files, name string) ([]document, error) {
	if !isDocument(name) {
		return nil, nil
	}
	text := files[name]
	cuts := []int{0}
	for _, at := range startsDocument.FindAllIndex(text, -1) {
		if at[0] > 0 {
			cuts = append(cuts, at[0])
		}
	}
	cuts = append(cuts, len(text))
	var docs []document
	for i := range len(cuts) - 1 {
		d := document{from: cuts[i], to: cuts[i+1]}
		var n yaml.Node
		if !says.Match(bytes.TrimPrefix(text[d.from:d.to], []byte("---"))) {
			continue
		}
		if err := yaml.Load(text[d.from:d.to], &n); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 && n.Content[0].Kind == yaml.MappingNode {
			d.root = n.Content[0]
			docs = append(docs, d)
		}
	}
	return docs, nil
}

// field returns the value of a key; nil where there is none.
func field(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
