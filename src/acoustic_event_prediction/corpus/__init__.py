"""Reading a corpus in the PodcastFillers layout: files, tables, speakers, findings."""
