module github.com/kafkarecover/kafkarecover

go 1.26.0
