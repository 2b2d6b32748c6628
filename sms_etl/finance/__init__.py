"""Finance: the monthly report as a page and a workbook. Reads marts, never raw tables, and writes files."""
