package scan

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// The elements of a JUnit report that its readers agree on: Jenkins, GitLab, GitHub's actions.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"timestamp,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Failure *junitDetail `xml:"failure,omitempty"`
		Error   *junitDetail `xml:"error,omitempty"`
		Skipped *struct{}    `xml:"skipped,omitempty"`
	}
	junitDetail struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit implements output.JUniter: a suite for each cluster, a case for each rule and for the reading of each volume.
// Findings of the severities error and critical fail their rule.
func (s *Scan) JUnit(w io.Writer) error {
	report := junitReport{Name: "kafkarecover scan"}
	for i := range s.Clusters {
		suite := s.Clusters[i].suite(s.Time.UTC().Format("2006-01-02T15:04:05"))
		report.Suites = append(report.Suites, suite)
		report.Tests += suite.Tests
		report.Failures += suite.Failures
		report.Errors += suite.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(report); err != nil {
		return fmt.Errorf("encode the result as JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (c *Cluster) suite(at string) junitSuite {
	suite := junitSuite{Name: c.Title(), Time: at}
	for _, v := range c.looked() {
		suite.Cases = append(suite.Cases, readingCase(&v))
	}
	for _, rule := range finding.Rules() {
		suite.Cases = append(suite.Cases, c.ruleCase(rule))
	}
	suite.Tests = len(suite.Cases)
	for _, one := range suite.Cases {
		switch {
		case one.Failure != nil:
			suite.Failures++
		case one.Error != nil:
			suite.Errors++
		case one.Skipped != nil:
			suite.Skipped++
		}
	}
	return suite
}

func readingCase(v *volume.Volume) junitCase {
	one := junitCase{Class: "volume", Name: output.Escape(v.Name)}
	switch v.State {
	case volume.Unread, volume.Incomplete:
		one.Error = &junitDetail{Message: output.Escape(string(v.State) + ": " + v.Reason), Type: string(v.State)}
	case volume.Skipped:
		one.Skipped = &struct{}{}
	case volume.Read:
	}
	return one
}

func (c *Cluster) ruleCase(rule finding.Rule) junitCase {
	one := junitCase{Class: "rule", Name: rule.ID}
	for _, f := range c.Findings {
		if f.Rule != rule.ID {
			continue
		}
		detail := &junitDetail{
			Message: output.Escape(f.Subject + ": " + f.Message), Type: string(f.Severity), Text: detailText(f),
		}
		switch {
		case f.Unevaluated:
			one.Error = one.Error.and(detail)
		case fails(f, finding.Error):
			one.Failure = one.Failure.and(detail)
		}
	}
	return one
}

// and joins two details: not every reader takes more than one of a kind.
func (d *junitDetail) and(more *junitDetail) *junitDetail {
	if d == nil {
		return more
	}
	return &junitDetail{Message: d.Message + "; " + more.Message, Type: d.Type, Text: d.Text + "\n" + more.Text}
}

func detailText(f finding.Finding) string {
	lines := make([]string, 0, len(f.Evidence)+1)
	for _, e := range f.Evidence {
		lines = append(lines, output.Escape(e))
	}
	if f.Remedy != "" {
		lines = append(lines, "remedy: "+output.Escape(f.Remedy))
	}
	return strings.Join(lines, "\n")
}
