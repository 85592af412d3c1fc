// Package rules writes docs/rules.md, the reference of all rules, from package finding.
package rules

import (
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
)

// head has ' where the page has backquotes.
const head = `# Rules

What 'kafkarecover scan' can find, and what 'kafkarecover restore' refuses on. This page is generated from 'pkg/finding'
('make generate'); 'kafkarecover explain RULE' prints the same of one rule.

A rule that *refuses* keeps restore from going on until '--accept RULE=SUBJECT' lifts it for one subject; one that
refuses *always* cannot be lifted. A rule that refuses and could not be evaluated refuses too.
'--ignore RULE[=SUBJECT]' hides findings of a scan and lifts nothing. What "tried" means is told in
[strimzi-facts.md](strimzi-facts.md).

What may come of going on without a refusal is at worst *lost*: data is erased or overwritten, or left out of a cluster
that is Ready all the same; *irreversible*: nothing takes the change back; or *stuck*: the cluster, or a part of it,
does not start, or stays away, until it is put right. Every rule that refuses is held by tests in which restore refuses
because of it, and nothing is changed but what the [safety contract](safety-contract.md) allows: reclaim policies, the
lock and the journal.

`

// Page returns the page.
func Page() []byte {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(head, "'", "`"))
	b.WriteString("| rule | severity | restore | without it | |\n|---|---|---|---|---|\n")
	rules := finding.Rules()
	for i := range rules {
		r := &rules[i]
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", r.ID, r.ID, r.Severity, restore(r), r.Without, cell(r.Title))
	}
	for i := range rules {
		r := &rules[i]
		fmt.Fprintf(&b, "\n## %s\n\n%s (%s; restore %s)\n\n", r.ID, sentence(r.Title), r.Severity, restore(r))
		fmt.Fprintf(&b, "- **Looks at:** %s\n- **Why:** %s\n- **Known from:** %s\n- **Remedy:** %s\n",
			r.What, r.Why, r.Source, r.Remedy)
		if r.Refuses {
			fmt.Fprintf(&b, "- **Without it:** %s\n- **Held by:** %s\n", r.Without.Text(), heldBy(Held(r.ID)))
		}
	}
	return []byte(b.String())
}

func restore(r *finding.Rule) string {
	switch {
	case r.Final:
		return "refuses always"
	case r.Refuses:
		return "refuses"
	}
	return "goes on"
}

// sentence begins a title with a capital letter; titles are ASCII there.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
