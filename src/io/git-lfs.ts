/** First line of the text that Git checks out in place of a large file when LFS is not set up. */
export const LFS_POINTER_START = 'version https://git-lfs';
export const LFS_POINTER_HINT = 'this is a Git LFS pointer, run git lfs pull';
