/* The least that running any command can cost. */
int main(void)
{
	return 0;
}
