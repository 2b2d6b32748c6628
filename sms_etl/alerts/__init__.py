"""Tells people of trouble, once an incident: by e-mail, and by a JSON post that chats can show.

What is wrong is read from the warehouse and the published copy (`reading`), what was told is kept in the data
directory (`told`), so that the command line and Dagster together tell of an incident once (`telling`).
"""
